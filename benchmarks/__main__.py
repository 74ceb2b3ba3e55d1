"""``python -m benchmarks``: measure, keep the results as JSON, show them as tables."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.loops import measure_test, measure_training
from benchmarks.machine import describe_machine
from benchmarks.recipes import measure_recipes
from benchmarks.results import RESULTS, Report, UnavailableError, write_report
from benchmarks.startup import measure_startup
from benchmarks.sweeps import measure_sweeps
from benchmarks.tables import render
from benchmarks.timing import MIN_ROUNDS
from benchmarks.trail import measure_trail

EXAMPLES = """\
  python -m benchmarks                                     training, test_pass, quick and startup
  python -m benchmarks --only training --rounds 25         one of them, with more rounds
  python -m benchmarks --only experiments --experiments good995 best --seeds 5
  python -m benchmarks --quick                             tiny sizes: does it work at all?
Then: python -m benchmarks.tables (docs/speed.md), python -m benchmarks.pictures (docs/figures/).
"""
# Enough to show that everything runs; the numbers mean nothing.
QUICK_STEPS, QUICK_ROUNDS, QUICK_IMAGES = 3, 2, 1024


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    only: Sequence[str]
    rounds: int | None
    steps: int
    seeds: int
    quick: bool
    device: str
    quick_experiment: str
    experiments: Sequence[str]
    overrides: Sequence[str]
    output: Path | None

    def rounds_or(self, default: int) -> int:
        return QUICK_ROUNDS if self.quick else self.rounds or default

    @property
    def runs(self) -> int:
        return QUICK_ROUNDS if self.quick else self.seeds

    @property
    def turn_steps(self) -> int:
        return QUICK_STEPS if self.quick else self.steps

    @property
    def train_limit(self) -> int | None:
        return QUICK_IMAGES if self.quick else None

    @property
    def folder(self) -> Path | None:
        """Where results go; those of a quick trial are kept only where a folder was named."""
        return self.output or (None if self.quick else RESULTS)


MEASUREMENTS: dict[str, Callable[[Options], Report]] = {
    "training": lambda options: measure_training(
        options.rounds_or(25), options.turn_steps, options.device
    ),
    "test_pass": lambda options: measure_test(
        options.rounds_or(15), options.turn_steps, options.device
    ),
    "quick": lambda options: measure_recipes(
        "quick", [options.quick_experiment], options.runs, 1, options.train_limit, options.overrides
    ),
    "trail": lambda options: measure_trail(min(3, options.rounds_or(3)), options.train_limit),
    "sweeps": lambda options: measure_sweeps(options.rounds_or(5), options.train_limit),
    "startup": lambda options: measure_startup(options.rounds_or(11)),
    "experiments": lambda options: measure_recipes(
        "experiments", options.experiments, options.runs, 0, options.train_limit, options.overrides
    ),
}
# Long runs: only on request.
DEFAULT = [name for name in MEASUREMENTS if name not in ("experiments", "sweeps", "trail")]


def parse(words: Sequence[str]) -> Options:
    """Sort the command line; ends the program where it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=(
            "Measure this package beside the tutorial loop, the bare loop and the best published"
            " quick recipe."
        ),
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--only",
        nargs="+",
        choices=MEASUREMENTS,
        default=DEFAULT,
        metavar="NAME",
        help=f"of: {', '.join(MEASUREMENTS)}",
    )
    add(
        "--rounds",
        type=int,
        help="turns of each way (default: 25 training, 15 test_pass, 11 startup)",
    )
    add("--steps", type=int, default=100, help="updates in a turn of training (default: 100)")
    add("--seeds", type=int, default=5, help="runs of each recipe (default: 5)")
    add(
        "--quick",
        action="store_true",
        help="tiny sizes, to try out the benchmark; keeps nothing unless --output is given",
    )
    add(
        "--device",
        choices=("cpu", "cuda"),
        default="cpu",
        help="for training and test_pass (default: cpu)",
    )
    add(
        "--quick-experiment",
        default="fast99",
        help="what is compared with the published recipe (default: fast99)",
    )
    add(
        "--experiments",
        nargs="+",
        default=["good995", "best"],
        metavar="NAME",
        help="for the measurement of that name",
    )
    add(
        "--overrides",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="further settings for quick and experiments",
    )
    add("--output", type=Path, help="folder of the results (default: benchmarks/results)")
    options = Options(**vars(parser.parse_args(words)))
    if not options.quick and (options.rounds is not None and options.rounds < MIN_ROUNDS):
        parser.error(
            f"--rounds {options.rounds}: fewer than {MIN_ROUNDS} say nothing on a machine that does"
            " other things, too"
        )
    if min(options.steps, options.seeds) < 1 or options.steps > 900:
        parser.error(
            "--steps must be 1 to 900, so that a turn fits into an epoch, and --seeds at least 1"
        )
    return options


def main(words: Sequence[str]) -> None:
    """Make every requested measurement; one that cannot be made does not stop the others."""
    options = parse(words)
    for name in options.only:
        print(f"{name} ...", file=sys.stderr, flush=True)
        environment = describe_machine(options.device)
        try:
            report = MEASUREMENTS[name](options)
        except UnavailableError as reason:
            print(f"{name} skipped: {reason}", file=sys.stderr, flush=True)
            continue
        content = report.as_json(environment)
        if options.folder is not None:
            print(f"{write_report(content, options.folder)}", file=sys.stderr)
        print(f"\n{name}\n\n{render(content)}\n", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
