"""The life of a passport, as a table of contents."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import torch

from mnist_trainer.compute.device import unchanged_threads
from mnist_trainer.compute.passport.accounting import Accounts
from mnist_trainer.compute.passport.exact import check_products
from mnist_trainer.compute.passport.identity import describe_machine
from mnist_trainer.compute.passport.moods import Moods
from mnist_trainer.compute.passport.speed import (
    device_speeds,
    low_precision,
    scaling,
    theoretical_peak,
    thread_counts,
)
from mnist_trainer.compute.process_state import unchanged_process
from mnist_trainer.errors import InterruptedRunError, MachineError, UserError
from mnist_trainer.launch.passport.reference import (
    Runs,
    reference_runs,
    replay,
    temporary_runs,
)
from mnist_trainer.launch.passport.training_steps import LIMITS, measure_recipe, seconds_to_99
from mnist_trainer.report.analysis.passport_findings import find
from mnist_trainer.report.read.passport import FORMAT
from mnist_trainer.system.version import __version__

FULL_SECONDS, QUICK_SECONDS = 0.5, 0.15
"""How long each speed is measured."""
Step = Callable[[str, int], None]


def make_passport(threads: int | None, quick: bool, step: Step) -> dict[str, Any]:
    """Measure this machine.

    Args:
        threads: as ``device.threads``; None leaves what PyTorch has chosen.
        quick: about 15 seconds, without the run to 99 %.
        step: told what is measured next, and of how many parts it is one.

    Raises:
        InterruptedRunError: a signal came while it trained.
    """
    started = time.perf_counter()
    with unchanged_process(), unchanged_threads(), temporary_runs() as runs:
        if threads is not None:
            torch.set_num_threads(threads)
        machine = describe_machine()
        cores = machine["cores"]["usable"]
        passport: dict[str, Any] = {
            "format": FORMAT,
            "version": __version__,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "quick": quick,
            "machine": machine,
            "peak": theoretical_peak(machine["flags"], cores, machine["megahertz"]),
        }
        moods = Moods()
        measure_parts(parts(machine, runs, passport, quick), passport, moods, step)
        passport["moods"] = moods.samples
        passport["accounts"] = describe_accounts(moods.elapsed())
    passport["seconds"] = time.perf_counter() - started
    passport["findings"] = [finding.as_json() for finding in find(passport)]
    return passport


def measure_parts(
    measured: Mapping[str, Callable[[], None]], passport: dict[str, Any], moods: Moods, step: Step
) -> None:
    """Measure all parts, with the machine's mood before each and after the last."""
    often = 2 if passport["quick"] else 10
    for title, measure in measured.items():
        step(title, len(measured))
        moods.sample(often)
        try:
            measure()
        except InterruptedRunError as error:
            # Its message names the folder of the run, which is temporary.
            raise InterruptedRunError("stopped: nothing is written.", error.args[1]) from error
        except (UserError, RuntimeError) as error:
            # PyTorch raises RuntimeError where a device cannot do what is asked.
            passport.setdefault("failed", []).append({"part": title, "error": str(error)})
    moods.sample(2 * often)


def parts(
    machine: Mapping[str, Any], runs: Runs, passport: dict[str, Any], quick: bool
) -> dict[str, Callable[[], None]]:
    """What is measured, by the title that the terminal shows; each adds to the passport."""
    threads, seconds = machine["threads"], QUICK_SECONDS if quick else FULL_SECONDS
    kinds = [device.partition(" ")[0] for device in machine["devices"]]
    pairs = [(kind, precision) for kind in kinds for precision in precisions(kind)]
    made: dict[str, Callable[[], None]] = {}

    def part(title: str, name: str, measure: Callable[[], list[Any]]) -> None:
        rows: list[Any] = passport.setdefault(name, [])
        made[title] = lambda: rows.extend(measure())

    def first(kind: str, precision: str) -> Any:
        return reference_digests(passport) if (kind, precision) == ("cpu", "fp32") else None

    def replayed(kind: str, precision: str) -> list[Any]:
        return replay(runs, kind, precision, threads, first(kind, precision))

    for pair in pairs:
        part(f"exact products: {' '.join(pair)}", "exact", partial(check_products, *pair))
    part("speed of the processor", "scaling", partial(measure_processor, machine, seconds))
    counts = sorted({1, threads})
    part("reference run", "reference", partial(reference_runs, runs, machine, counts))
    for pair in pairs:
        part(f"replay: {' '.join(pair)}", "replays", partial(replayed, *pair))
    for pair in (pair for pair in pairs if pair[1] != "fp32"):
        measure = partial(low_precision, *pair, seconds)
        part(f"speed: {' '.join(pair)}", "low_precision", partial(one, measure))
    for kind in kinds[: kinds.index("cpu")]:
        part(f"speed: {kind}", "devices", partial(one, partial(device_speeds, kind, seconds)))
    for recipe in LIMITS:
        step = partial(measure_recipe, runs, recipe, threads, partial(roofs, passport))
        part(f"steps of {recipe}", "recipes", partial(one, step))
    if not quick:
        made["seconds to 99 %"] = lambda: passport.update(to_99=seconds_to_99(runs, threads))
    return made


def one(measure: Callable[[], Any]) -> list[Any]:
    """A measurement that gives a single row."""
    return [measure()]


def precisions(kind: str) -> tuple[str, ...]:
    """The precisions that a run can have on a device."""
    return ("fp32", "bf16") if kind == "cpu" else ("fp32", "bf16", "fp16")


def measure_processor(machine: Mapping[str, Any], seconds: float) -> list[dict[str, float]]:
    """Speed with each number of threads."""
    return scaling(thread_counts(machine["cores"]["usable"], machine["threads"]), seconds)


def reference_digests(passport: Mapping[str, Any]) -> dict[str, dict[str, str]] | None:
    """Digests of the reference runs with as many threads as replays have; None without any."""
    found = {
        row["model"]: {"weights": row["weights"], "losses": row["losses"]}
        for row in passport["reference"]
        if row["threads"] == passport["machine"]["threads"]
    }
    return found or None


def roofs(passport: Mapping[str, Any]) -> dict[str, float]:
    """What this processor was measured to do at best: GFLOP/s by precision, and GB/s.

    Raises:
        MachineError: its speed could not be measured.
    """
    rows = passport["scaling"]
    if not rows:
        raise MachineError("The speed of the processor is unknown, so there is no roofline.")
    memory = max(max(row["copy"], row["triad"]) for row in rows)
    lows = [row for row in passport["low_precision"] if row["device"] == "cpu"]
    full = [row["gflops"] for row in rows] + [row["fp32_gflops"] for row in lows]
    return {"fp32": max(full), "memory": memory} | {row["precision"]: row["gflops"] for row in lows}


def describe_accounts(accounts: Accounts) -> dict[str, Any]:
    """The accounts of the whole passport, as plain values."""
    return {
        "wall": accounts.wall,
        "own": accounts.own,
        "others": accounts.others,
        "stolen": accounts.stolen,
        "throttled": accounts.throttled,
        "throttlings": accounts.throttlings,
    }
