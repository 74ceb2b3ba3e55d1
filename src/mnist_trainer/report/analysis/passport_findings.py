"""Findings of a passport: what was looked at, what is allowed, and where it is wrong, what to do.

Thresholds of what is measured come from the spread of the measurements themselves.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

MAD_TO_SD = 1.4826
"""Of normally distributed values (Rousseeuw and Croux 1993)."""
SIGMAS = 3.0
TICK = 0.01
"""Seconds: the grain of /proc/stat on nearly every Linux."""
LEAST_SHARE = 0.05
"""Of a core: the housekeeping of an idle system stays below it."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
CAPABILITIES = ("DEFAULT", "AVX2", "AVX512")
EXPECTED_99 = (0.9916, 0.0004)
"""Test accuracy of experiment=fast99 with the settings of the passport: mean and standard deviation
over seeds 0 to 9."""
SIGMAS_99 = 6.0

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Finding:
    """The result of a check."""

    check: str
    found: str
    allowed: str
    """The rule, with its threshold."""
    advice: str | None = None
    """What to do; None where all is well."""

    def as_json(self) -> dict[str, str | None]:
        return asdict(self)


@dataclass(frozen=True)
class Thresholds:
    """Limits that follow from the measurements of a passport."""

    spread: float
    """Standard deviation over median of the CPU time of equal work."""
    others_cores: float
    """Cores that others may keep busy."""
    lost_share: float
    """Share of the time that may be lost without anybody having had the core."""


def find(passport: Mapping[str, Any]) -> list[Finding]:
    """The results of all checks of a passport that was just measured."""
    limits = thresholds(passport["moods"], passport["accounts"], usable(passport))
    findings = [
        wrong_products(passport["exact"]),
        changed_reference(passport["reference"]),
        unrepeatable(passport["replays"]),
        capped_capability(passport["machine"]),
        too_many_threads(passport["machine"]),
        neighbours(passport, limits),
        throttled(passport, limits),
    ]
    if passport.get("to_99"):
        findings.append(below_99(passport["to_99"]))
    return findings + [failed_part(part) for part in passport.get("failed", [])]


def usable(passport: Mapping[str, Any]) -> int:
    return int(passport["machine"]["cores"]["usable"])


def thresholds(samples: Rows, accounts: Mapping[str, Any], cores: int) -> Thresholds:
    """Limits from the spread of the repeated measurement and the grain of the system's clock."""
    spread = relative_spread([float(sample["cpu"]) for sample in samples])
    # Each of n stretches begins and ends within a tick, on each core: uniform errors, added.
    walls = sum(float(sample["wall"]) for sample in samples)
    grain = TICK * math.sqrt(2 * cores * len(samples) / 12) / walls
    by_ticks = accounts["others"] is not None and not tells_waiting(samples)
    return Thresholds(
        spread,
        others_cores=max(LEAST_SHARE, SIGMAS * spread, 2 * cores * TICK / accounts["wall"]),
        lost_share=max(LEAST_SHARE, SIGMAS * spread, SIGMAS * grain if by_ticks else 0.0),
    )


def relative_spread(values: Sequence[float]) -> float:
    """Standard deviation over median, estimated from the median absolute deviation: a few extreme
    values do not matter."""
    middle = statistics.median(values)
    return MAD_TO_SD * statistics.median(abs(value - middle) for value in values) / middle


def wrong_products(rows: Rows) -> Finding:
    """Whether every product of whole numbers is exact."""
    wrong = [row for row in rows if row["wrong"]]
    found = f"{len(rows)} products of whole numbers, {sum(r['elements'] for r in rows):,} elements"
    advice = None
    if wrong:
        row, first = wrong[0], wrong[0]["first"]
        found = (
            f"{len(wrong)} of {len(rows)} products are wrong, first {row['operation']} of"
            f" {' x '.join(map(str, row['shape']))} on {row['device']} in {row['precision']}:"
            f" {row['wrong']:,} of {row['elements']:,} elements, element"
            f" ({', '.join(map(str, first['index']))}) is {first['found']}, not"
            f" {first['expected']}"
        )
        advice = (
            "Trust no result of this machine. Look for a patched function or library; test the"
            " memory; reinstall torch."
        )
    return Finding("exact products", found, "no element differs from NumPy's in int64", advice)


def changed_reference(rows: Rows) -> Finding:
    """Whether the reference run came out as on other machines of this kind."""
    known, wrong = ([r for r in rows if r["verdict"] == v] for v in ("as known", "different"))
    found = f"{len(known)} of {len(rows)} runs have the bits that are known"
    if len(known) < len(rows):
        found += f", {len(rows) - len(known)} are of an unknown kind of processor"
    advice = None
    if wrong:
        named = ", ".join(f"{row['model']} with {row['threads']} threads" for row in wrong)
        found = f"weights or losses differ from those of this kind of processor: {named}"
        advice = (
            "A library, a function or the processor computes otherwise. Compare with another"
            " machine: mnist-passport A.json B.json"
        )
    return Finding(
        "reference run",
        found,
        "no bit differs from those shipped for this kind of processor, where it is known",
        advice,
    )


def unrepeatable(rows: Rows) -> Finding:
    """Whether a run gives the same bits twice."""
    wrong = [row for row in rows if not row["same_bits"]]
    named = [f"{row['model']} on {row['device']} in {row['precision']}" for row in wrong]
    found = f"two runs differ: {', '.join(named)}" if wrong else f"{len(rows)} runs, same bits"
    advice = (
        "Resumed and repeated runs will not be the same here. Try device.threads=1,"
        " device.deterministic=true, or another version of torch; test the memory."
    )
    allowed = "no bit of losses and weights differs between two equal runs"
    return Finding("replays", found, allowed, advice if wrong else None)


def capped_capability(machine: Mapping[str, Any]) -> Finding:
    """Whether PyTorch uses the instructions that this processor has."""
    used, offered = machine["capability"]["used"], machine["capability"]["offered"]
    places = [CAPABILITIES.index(name) for name in (used, offered) if name in CAPABILITIES]
    advice, because = None, ""
    if len(places) == 2 and places[0] < places[1]:
        cause = machine["variables"].get("ATEN_CPU_CAPABILITY")
        because = f", by ATEN_CPU_CAPABILITY={cause}" if cause else ""
        advice = "unset ATEN_CPU_CAPABILITY" if cause else "Install torch anew: pip install torch"
    known = f"the processor offers {offered}" if offered else "what the processor offers is unknown"
    return Finding(
        "capability",
        f"PyTorch uses {used}, {known}{because}",
        "PyTorch uses what the processor's flags allow",
        advice,
    )


def too_many_threads(machine: Mapping[str, Any]) -> Finding:
    """Whether every thread has a core to run on."""
    cores, threads, quota = machine["cores"]["usable"], machine["threads"], machine["quota"]
    room = cores if quota is None else min(cores, max(1, math.ceil(quota)))
    limit = "" if quota is None else f", of which a control group allows {quota:g}"
    found = f"PyTorch uses {threads} threads on {cores} usable cores{limit}"
    too_many = threads > room
    for name in THREAD_VARIABLES:
        asked = str(machine["variables"].get(name, "")).partition(",")[0]
        # Some builds of PyTorch heed it, others take no more threads than there are cores.
        if asked.isdecimal() and int(asked[:9]) > room:
            found, too_many = f"{found}; {name}={asked[:9]} asks for more than there are", True
    advice = f"unset {' '.join(THREAD_VARIABLES)}; device.threads={room}" if too_many else None
    return Finding("threads", found, "there is a usable core for each thread", advice)


def neighbours(passport: Mapping[str, Any], limits: Thresholds) -> Finding:
    """Whether others had the cores while this process measured."""
    accounts = passport["accounts"]
    if accounts["others"] is None:
        return Finding("neighbours", "unknown: this system keeps no /proc/stat", "-")
    others, stolen = (
        max(0.0, accounts[name] or 0.0) / accounts["wall"] for name in ("others", "stolen")
    )
    advice = None
    if others > limits.others_cores:
        advice = "Stop the other processes, or wait: top names them."
    elif stolen > limits.others_cores:
        advice = "Other virtual machines share this hardware: ask for one of your own."
    if advice:
        advice += " The speeds measured here are too low; the bits are not affected."
    return Finding(
        "neighbours",
        f"others kept {others:.2f} of {usable(passport)} cores busy, the hypervisor took"
        f" {stolen:.2f}",
        f"others use at most {limits.others_cores:.2f} cores: the largest of {LEAST_SHARE:g},"
        f" {SIGMAS:g} x the spread of equal work ({100 * limits.spread:.1f} %), and the grain of"
        " /proc/stat",
        advice,
    )


def throttled(passport: Mapping[str, Any], limits: Thresholds) -> Finding:
    """Whether this process was stopped while nobody else had its core."""
    accounts = passport["accounts"]
    stopped = (accounts["throttled"] or 0.0) / accounts["wall"]
    by_group = bool(accounts["throttlings"]) and stopped > max(TICK, limits.spread)
    lost = lost_share(passport["moods"])
    found = f"stopped for {100 * lost:.1f} % of the time, without waiting for others"
    advice = None
    if by_group:
        found = (
            f"a control group stopped threads {accounts['throttlings']} times, for"
            f" {accounts['throttled']:.1f} s in {accounts['wall']:.1f} s"
        )
        threads = max(1, int(passport["machine"]["quota"] or 1))
        advice = f"Raise the CPU limit of the container, or device.threads={threads}"
    elif lost > limits.lost_share:
        advice = (
            "Look for cpulimit, a scheduler that stops jobs (SIGSTOP), or a host that gives this"
            " virtual machine less than a core."
        )
    return Finding(
        "throttling",
        found,
        f"at most {100 * limits.lost_share:.1f} % of the time a thread neither runs nor waits for"
        f" others: the largest of {100 * LEAST_SHARE:g} %, {SIGMAS:g} x the spread of equal work,"
        f" and the grain of the accounts; or {100 * max(TICK, limits.spread):.1f} % by cpu.stat",
        advice,
    )


def lost_share(samples: Rows) -> float:
    """Share of the measurements' time in which their thread neither ran nor waited for others."""
    wall, own, waited, others, stolen = (
        sum(float(sample[name] or 0.0) for sample in samples)
        for name in ("wall", "cpu", "waited", "others", "stolen")
    )
    if not tells_waiting(samples):
        # All that others used is taken for the reason, be it on this core or on another.
        waited = max(0.0, others) + stolen
    return max(0.0, wall - own - waited) / wall


def tells_waiting(samples: Rows) -> bool:
    """Whether the system says how long a thread waited for a core."""
    return all(sample["waited"] is not None for sample in samples)


def below_99(run: Mapping[str, Any]) -> Finding:
    """Whether the recipe for 99 % learns here what it learns elsewhere."""
    mean, sd = EXPECTED_99
    least = mean - SIGMAS_99 * sd
    advice = None
    if run["test_accuracy"] < least:
        advice = "The same recipe learns more elsewhere: see the other findings; compare packages."
    return Finding(
        "seconds to 99 %",
        f"experiment=fast99 came to {100 * run['test_accuracy']:.2f} % in"
        f" {run['train_seconds']:.1f} s",
        f"at least {100 * least:.2f} %: the mean of seeds 0 to 9, {100 * mean:.2f} %, less"
        f" {SIGMAS_99:g} standard deviations",
        advice,
    )


def failed_part(part: Mapping[str, Any]) -> Finding:
    """What could not be measured."""
    lines = str(part["error"]).splitlines() or [""]
    advice = "python -m mnist_trainer.doctor checks what a run needs."
    return Finding(str(part["part"]), f"failed: {lines[0]}", "it can be measured", advice)
