"""One epoch of docs_fcn by each engine: largest difference of the losses per step, accuracy,
seconds.

    python -m benchmarks.engines              measure, keep as JSON, write the tables of
    docs/engines.md python -m benchmarks.engines --quick      a few images: does the measurement
    itself work? Keeps nothing. python -m benchmarks.engines --check      fail where the tables are
    not what the results say

Two sums of the same numbers in another order differ in their last digit, and training makes small
differences grow. So beside the engines there is a control: autograd once more, with the images of
each batch the other way round, which is the same mathematics. And the same epoch in float64, where
what rounding leaves is 2^29 times as small.
"""

import argparse
import contextlib
import io
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmarks.machine import describe_machine, run_python
from benchmarks.product import compose_config
from benchmarks.results import RESULTS, Case, Report, write_report
from benchmarks.tables import number, row
from benchmarks.timing import MIN_ROUNDS, interleave
from mnist_trainer.data.batches import Batches, EpochSampler
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.training.engines.select import make_engine
from mnist_trainer.training.evaluation import evaluate
from mnist_trainer.training.run import prepare
from mnist_trainer.training.step import Step, StepOutput
from mnist_trainer.training.trainer import Trainer

PAGE = Path(__file__).parents[1] / "docs" / "engines.md"
BLOCK = re.compile(r"(<!-- engines:start -->\n).*?(<!-- engines:end -->)", re.DOTALL)
ENGINES = ("autograd", "manual", "numpy")
CONTROL = "autograd, batches reversed"
WORDS = ("experiment=docs_fcn", "trainer.epochs=1", "device=cpu", "tracker=none")
# Enough to show that everything runs; the numbers mean nothing.
QUICK_WORDS = ("data.train_limit=1024", "data.test_limit=500")
QUICK_ROUNDS = 2


class Reversed:
    """Batches with the images of each the other way round."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def epoch(self, sampler: EpochSampler, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in self.batches.epoch(sampler, start):
            yield images.flip(0), labels.flip(0)


class Recorded:
    """A step that keeps its losses."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.losses: list[Tensor] = []

    def __call__(self, images: Tensor, labels: Tensor, *, measure_norm: bool) -> StepOutput:
        output = self.step(images, labels, measure_norm=measure_norm)
        self.losses.append(output.loss.clone())
        return output


@dataclass(frozen=True)
class Trained:
    """What an epoch came to."""

    losses: list[float]
    accuracy: float
    """Share of the test images."""


@contextlib.contextmanager
def open_trainer(*words: str) -> Iterator[Trainer]:
    """The real trainer, which does not introduce itself here."""
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stdout(io.StringIO()):
            trainer = prepare(compose_config(*words), RunFolder(Path(folder)), time.perf_counter())
        with trainer.outputs.tracker:
            yield trainer


def single_precision(way: str, words: Sequence[str]) -> Trained:
    """An epoch of the real trainer."""
    engine = way.partition(",")[0]
    with open_trainer(*words, f"trainer.engine={engine}") as trainer:
        if way == CONTROL:
            trainer.data.batches = Reversed(trainer.data.batches)
        recorded = trainer.step = Recorded(trainer.step)
        trainer.train_epoch()
        accuracy = trainer.evaluator.evaluate_test(trainer.state.eval_model).accuracy
    return Trained([float(loss) for loss in recorded.losses], accuracy)


def double_precision(way: str, words: Sequence[str]) -> Trained:
    """The same batches from the same weights, computed in float64."""
    with open_trainer(*words) as trainer:
        model, optimizer, test = (
            trainer.state.model.double(),
            trainer.state.optimizer,
            trainer.evaluator.test,
        )
        engine = make_engine(
            way, model, trainer.evaluator.criterion, trainer.state.scaler, trainer.evaluator.device
        )
        losses = []
        for images, labels in trainer.data.epoch(0):
            optimizer.zero_grad(set_to_none=True)
            losses.append(float(engine.backpropagate(images.double(), labels, 1.0)[0]))
            optimizer.step()
        metrics = evaluate(
            model,
            trainer.evaluator.criterion,
            trainer.evaluator.device,
            test.images.double(),
            test.labels,
            500,
        )
    return Trained(losses, metrics.accuracy)


def run_turn(engine: str, words: Sequence[str]) -> Callable[[], float]:
    """A whole run from the shell, of which the seconds of its training count."""

    def turn() -> float:
        with tempfile.TemporaryDirectory() as folder:
            arguments = [
                "-m",
                "mnist_trainer",
                *words,
                f"trainer.engine={engine}",
                "hydra.run.dir=run",
            ]
            run_python(arguments, Path(folder))
            result = json.loads((Path(folder) / "run" / "result.json").read_text(encoding="utf-8"))
        return float(result["seconds"]["train"])

    return turn


def compare(trained: Mapping[str, Trained]) -> dict[str, Any]:
    """For each engine the largest difference of a step's loss to autograd's, and the accuracy."""
    first = trained["autograd"].losses
    compared = {}
    for way, outcome in trained.items():
        differences = [
            abs(ours - theirs) for ours, theirs in zip(outcome.losses, first, strict=True)
        ]
        compared[way] = {
            "steps": len(differences),
            "largest_difference": max(differences),
            "at_step": differences.index(max(differences)) + 1,
            "largest_of_the_first_100": max(differences[:100]),
            "accuracy": outcome.accuracy,
        }
    return compared


def measure(rounds: int, words: Sequence[str]) -> Report:
    """All of it."""
    single = {way: single_precision(way, words) for way in (*ENGINES, CONTROL)}
    double = {way: double_precision(way, words) for way in ENGINES}
    seconds = interleave({engine: run_turn(engine, words) for engine in ENGINES}, rounds)
    method = (
        f"One epoch of docs_fcn, seed 0: {len(single['autograd'].losses)} updates by the real"
        " trainer, from the same weights with the same batches. Differences are those to autograd."
        f" Seconds: of training, median of {rounds} runs from the shell (smallest to largest), the"
        " engines in turns."
    )
    case = Case(
        "seconds per epoch", "seconds", seconds, [("manual", "autograd"), ("numpy", "autograd")]
    )
    return Report("engines", method, [case], {"fp32": compare(single), "float64": compare(double)})


def table(report: Mapping[str, Any]) -> str:
    """The results as Markdown."""
    details, environment = report["details"], report["environment"]
    seconds = report["cases"][0]["ways"]
    lines = [
        row(
            [
                "engine",
                "largest difference of a step's loss",
                "within 100 steps",
                "in float64",
                "test accuracy",
                "seconds",
            ]
        ),
        row(["---", *["---:"] * 5]),
    ]
    for way, one in details["fp32"].items():
        double = details["float64"].get(way)
        shown = [way]
        for value in (
            one["largest_difference"],
            one["largest_of_the_first_100"],
            double and double["largest_difference"],
        ):
            shown.append("" if value is None else "0" if value == 0 else f"{value:.1e}")
        took = seconds.get(way)
        shown.append(f"{100 * one['accuracy']:.2f} %")
        shown.append(
            f"{number(took['median'])} ({number(took['min'])} to {number(took['max'])})"
            if took
            else ""
        )
        lines.append(row(shown))
    packages = environment["packages"]
    where = (
        f"{environment['device']['name']}, torch {packages['torch']}, NumPy {packages['numpy']},"
        f" {report['date']}"
    )
    return "\n".join([*lines, "", report["method"], "", f"*{where}.*", ""])


def main(words: Sequence[str]) -> int:
    """Exit code: 0 where the table is, or now is, what the results say."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.engines", description="One epoch of docs_fcn by each engine."
    )
    parser.add_argument(
        "--quick", action="store_true", help="few images, to try out the measurement; keeps nothing"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="measure nothing; fail where the table is not what the results say",
    )
    arguments = parser.parse_args(words)
    if not arguments.check:
        rounds, words = (
            (QUICK_ROUNDS, (*WORDS, *QUICK_WORDS)) if arguments.quick else (MIN_ROUNDS, WORDS)
        )
        environment = describe_machine("cpu")
        report = measure(rounds, words).as_json(environment)
        print(table(report))
        if arguments.quick:
            return 0
        write_report(report, RESULTS)
    return refresh(write=not arguments.check)


def refresh(*, write: bool) -> int:
    """Compare the page's table with the results, and write it where that is wanted."""
    report = json.loads((RESULTS / "engines.json").read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    filled = BLOCK.sub(lambda match: match.group(1) + table(report) + match.group(2), text)
    if write:
        PAGE.write_text(filled, encoding="utf-8")
        return 0
    if filled != text:
        print(
            f"{PAGE.name} is stale. Write its table anew: python -m benchmarks.engines",
            file=sys.stderr,
        )
    return int(filled != text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
