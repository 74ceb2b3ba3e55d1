"""How often a search for a difference errs, and how many seeds it takes beside what was predicted.

    python -m benchmarks.decide            measure, keep as JSON, write the tables of docs/decide.md
    python -m benchmarks.decide --quick    a few repetitions: does it work at all? Keeps nothing

Differences are drawn from a normal distribution, or are those of real runs (`decide_pool.json`, of
`python -m benchmarks.decide.pool`). Each search goes through the product's own `look`.
"""

import argparse
import json
import math
import re
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import RESULTS
from benchmarks.tables import row
from mnist_trainer.report.analysis.power import pooled, power, seeds_needed
from mnist_trainer.report.analysis.sequential import (
    StoppingRule,
    Verdict,
    expected_seeds,
    look,
    planned_looks,
)
from mnist_trainer.runs.metrics import wilson_interval

PAGE = Path(__file__).parents[2] / "docs" / "decide.md"
BLOCK = re.compile(r"(<!-- decide:start -->\n).*?(<!-- decide:end -->)", re.DOTALL)
WIDTH = 0.005
"""0.5 points, of accuracies that scatter by 2 to 4."""
REPEATS, DISJOINT_MOST, KNOWN_PAIRS = 5000, 5, 8

Values = NDArray[np.float64]


def search(differences: Sequence[float], rule: StoppingRule, step: float) -> tuple[int, Verdict]:
    """Look until the search ends; the seeds that it took, and its verdict."""
    for seeds in rule.looks:
        found = look(differences[:seeds], rule, step, is_last=seeds == rule.most)
        if found.verdict is not Verdict.OPEN:
            break
    return found.seeds, found.verdict


@dataclass(frozen=True)
class FalseRate:
    """Searches between a recipe and itself."""

    name: str
    most: int
    searches: int
    apart: int

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(self.apart, self.searches)


def false_rate(name: str, most: int, step: float, drawn: Iterator[Values]) -> FalseRate:
    """How many searches find a difference where there is none."""
    rule = StoppingRule(WIDTH, planned_looks(most), 1)
    verdicts = [search(each.tolist(), rule, step)[1] for each in drawn]
    return FalseRate(name, most, len(verdicts), verdicts.count(Verdict.APART))


def halves(pool: Values, most: int, repeats: int, rng: np.random.Generator) -> Iterator[Values]:
    """Differences between two disjoint sets of runs of one recipe, drawn anew each time."""
    for _ in range(repeats):
        chosen = rng.permutation(len(pool))[: 2 * most]
        yield pool[chosen[:most]] - pool[chosen[most:]]


def disjoint(pool: Values, most: int, rng: np.random.Generator) -> Iterator[Values]:
    """The same without any run in two comparisons."""
    order = rng.permutation(len(pool))
    for start in range(0, len(pool) - 2 * most + 1, 2 * most):
        chosen = order[start : start + 2 * most]
        yield pool[chosen[:most]] - pool[chosen[most:]]


def normal(most: int, repeats: int, rng: np.random.Generator) -> Iterator[Values]:
    for _ in range(repeats):
        yield rng.normal(0, 0.04, most)


@dataclass(frozen=True)
class Effect:
    """A known difference: what was predicted, beside what happened with real runs."""

    name: str
    difference: float
    sd: float
    pairs: int
    fixed_predicted: int
    """Seeds a side for 80 % power."""
    fixed_power: float
    """The share of comparisons of so many real pairs that find it."""
    fixed_observed: int
    """The fewest seeds with which 80 % of the comparisons of real pairs find it."""
    until_predicted: float
    """Mean seeds of --until."""
    until_observed: float
    found_predicted: float
    found_observed: float


def known_effect(
    name: str, differences: Values, most: int, repeats: int, rng: np.random.Generator, step: float
) -> Effect:
    """Predict from mean and standard deviation of all pairs; then draw comparisons of them."""
    mean, sd = float(differences.mean()), float(differences.std(ddof=1))
    rule = StoppingRule(WIDTH, planned_looks(most), 1)
    needed = seeds_needed(mean, sd)
    until, found = expected_seeds(mean, sd, rule)
    ends = []
    for _ in range(repeats):
        chosen = rng.permutation(len(differences))[:most]
        ends.append(search(differences[chosen].tolist(), rule, step))
    fixed = {n: shown(differences, n, repeats, rng) for n in range(3, 2 * needed)}
    enough = [n for n, rate in fixed.items() if rate >= 0.8]
    return Effect(
        name, mean, sd, len(differences), needed, fixed[needed], min(enough, default=2 * needed),
        until, statistics.fmean(seeds for seeds, _ in ends),
        found, statistics.fmean(verdict is Verdict.APART for _, verdict in ends),
    )  # fmt: skip


def shown(differences: Values, n: int, repeats: int, rng: np.random.Generator) -> float:
    """The share of comparisons of so many pairs whose paired t-test shows a difference at 5 %."""
    from scipy.stats import t

    chosen = np.array([rng.permutation(len(differences))[:n] for _ in range(repeats)])
    drawn = differences[chosen]
    statistic = drawn.mean(axis=1) / (drawn.std(axis=1, ddof=1) / math.sqrt(n))
    return float(np.mean(np.abs(statistic) > t.ppf(0.975, n - 1)))


@dataclass(frozen=True)
class Planned:
    """A plan made from a few pairs, and the one search that followed, in the order of the seeds."""

    name: str
    sd_planned: float
    sd_interval: tuple[float, float]
    sd_seen: float
    seeds_planned: int
    """For the difference of all pairs; 0 where there is none."""
    seeds_bounds: tuple[int, int]
    """With the ends of the interval of the standard deviation."""
    power_of_plan: float
    seeds: int
    verdict: str


def planned(name: str, differences: Values, most: int, step: float, effect: bool) -> Planned:
    """Plan by the first pairs, then search in the pairs that follow."""
    known = pooled([differences[:KNOWN_PAIRS].tolist()])
    assert known is not None
    mean, sd = float(differences.mean()), float(differences.std(ddof=1))
    sds = (known.value, *known.interval)
    needed, *bounds = (seeds_needed(mean, each) if effect else 0 for each in sds)
    later = differences[KNOWN_PAIRS:]
    seeds, verdict = search(later.tolist(), StoppingRule(WIDTH, planned_looks(most), 1), step)
    reached = power(mean, sd, needed) if effect else 0.0
    return Planned(
        name, known.value, known.interval, sd, needed, (bounds[0], bounds[1]), reached, seeds,
        str(verdict),
    )  # fmt: skip


def measure(repeats: int) -> dict[str, Any]:
    """All of it, from the pools of runs."""
    content = json.loads((RESULTS / "decide_pool.json").read_text(encoding="utf-8"))
    pools = {
        name: np.array(pool["correct"]) / pool["images"] for name, pool in content["pools"].items()
    }
    rng, step = np.random.default_rng(0), 1 / content["pools"]["16"]["images"]
    same = pools["16"]
    rates = [
        false_rate("normal, simulated", 20, step, normal(20, repeats, rng)),
        false_rate("normal, simulated", 60, step, normal(60, repeats, rng)),
        false_rate("real runs, drawn anew", 20, step, halves(same, 20, repeats, rng)),
        false_rate("real runs, drawn anew", 60, step, halves(same, 60, repeats, rng)),
        false_rate("real runs, each used once", DISJOINT_MOST, step,
                   disjoint(same, DISJOINT_MOST, rng)),
        false_rate("real runs, drawn anew", DISJOINT_MOST, step,
                   halves(same, DISJOINT_MOST, repeats, np.random.default_rng(1))),
    ]  # fmt: skip
    paired = pools["128"] - pools["64"]
    few = min(len(same), len(pools["64"]))
    wide = pools["64"][:few] - same[:few]
    again = same[few : 2 * few] - same[:few]
    wider = "hidden 64 against 128"
    return {
        "name": "decide",
        "date": time.strftime("%Y-%m-%d"),
        "pool": {key: content[key] for key in ("date", "environment")},
        "runs": {name: len(pool) for name, pool in pools.items()},
        "mean_and_sd": {
            name: [float(pool.mean()), float(pool.std(ddof=1))] for name, pool in pools.items()
        },
        "false": [asdict(rate) for rate in rates],
        "effects": [asdict(known_effect(wider, paired, 60, min(repeats, 2000), rng, step))],
        "plans": [
            asdict(planned(wider, paired, 60, step, effect=True)),
            asdict(planned("hidden 16 (2 epochs) against 64", wide, 60, step, effect=True)),
            asdict(planned("hidden 16 against itself", again, 60, step, effect=False)),
        ],
    }


def tables(found: dict[str, Any]) -> str:
    """The tables of docs/decide.md."""
    lines = [row(["a recipe against itself", "most seeds", "searches", "found apart", "95 %"])]
    lines += ["|---|---:|---:|---:|---:|"]
    for each in found["false"]:
        low, high = wilson_interval(each["apart"], each["searches"])
        rate = f"{100 * each['apart'] / each['searches']:.1f} %"
        bounds = f"{100 * low:.1f} to {100 * high:.1f} %"
        lines.append(row([each["name"], each["most"], f"{each['searches']:,}", rate, bounds]))
    for each in found["effects"]:
        lines += [
            "",
            row([each["name"], "predicted", "with real runs"]),
            "|---|---:|---:|",
            row(["seeds a side, fixed, for 80 % power", each["fixed_predicted"],
                 f"{each['fixed_observed']} (at the predicted number:"
                 f" {100 * each['fixed_power']:.0f} %)"]),
            row(["mean seeds a side, `--until`", f"{each['until_predicted']:.1f}",
                 f"{each['until_observed']:.1f}"]),
            row(["found by `--until`", f"{100 * each['found_predicted']:.0f} %",
                 f"{100 * each['found_observed']:.0f} %"]),
        ]  # fmt: skip
    lines += [
        "",
        row(["comparison", f"sd by {KNOWN_PAIRS} pairs", "sd by all", "seeds planned",
             "power of the plan", "what `--until` then did"]),
        "|---|---:|---:|---:|---:|---|",
    ]  # fmt: skip
    for each in found["plans"]:
        low, high = (100 * end for end in each["sd_interval"])
        sd = f"{100 * each['sd_planned']:.2f} ({low:.2f} to {high:.2f})"
        least, most = each["seeds_bounds"]
        seeds, reached = f"{each['seeds_planned']} ({least} to {most})", each["power_of_plan"]
        plan = [seeds, f"{100 * reached:.0f} %"] if each["seeds_planned"] else ["-", "-"]
        then = f"{each['verdict']} with {each['seeds']} seeds a side"
        lines.append(row([each["name"], sd, f"{100 * each['sd_seen']:.2f}", *plan, then]))
    return "\n".join(lines) + "\n"


def page_with(text: str, found: dict[str, Any]) -> str:
    """The page with the tables of a measurement."""
    return BLOCK.sub(lambda block: f"{block[1]}{tables(found)}{block[2]}", text)


def main(words: Sequence[str]) -> None:
    """Measure, and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decide")
    parser.add_argument("--quick", action="store_true", help="few repetitions; keeps nothing")
    quick = parser.parse_args(words).quick
    found = measure(100 if quick else REPEATS)
    print(tables(found))
    if not quick:
        (RESULTS / "decide.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(page_with(PAGE.read_text("utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
