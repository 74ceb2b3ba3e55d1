"""Runs of the product itself that a passport is made of: reference, replays, recipes, 99 %."""

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mnist_trainer.compute.passport.identity import kind_of
from mnist_trainer.compute.passport.known import expected_digests, known_kinds
from mnist_trainer.launch.in_process import run_in_process
from mnist_trainer.launch.options import path_override
from mnist_trainer.runs.metric_records import read_records
from mnist_trainer.runs.read import read_json
from mnist_trainer.system.files import data_cache_folder

MODELS = ("fcn", "cnn")
RECIPE = (
    "seed=0",
    "transforms=normalize",
    "optimizer=sgd",
    "scheduler=constant",
    "loss=cross_entropy",
    "data.train_limit=1280",
    "data.validation_size=0",
    "data.test_limit=200",
    "trainer.batch_size=64",
    "trainer.epochs=1",
    "trainer.log_every=1",
)
"""Of the reference run: 20 updates whose every loss is recorded."""


class Runs:
    """Runs in a temporary folder, of which nothing stays."""

    def __init__(self, folder: Path, cache: Path) -> None:
        """Args:
        cache: of the data; where it is empty they are unpacked in the folder.
        """
        self._folder, self._count = folder, 0
        self._data = cache if (cache / "MNIST" / "raw").is_dir() else folder / "data"

    def make(self, *words: str) -> dict[str, Any]:
        """Train with the words of a command line; result, layers and a digest of the losses.

        Raises:
            UserError: as the command reports it.
        """
        self._count += 1
        folder = self._folder / f"run-{self._count}"
        places = (path_override("hydra.run.dir", folder), path_override("data.root", self._data))
        made, config = run_in_process([*words, "tracker=none", *places], quiet=True)
        result: dict[str, Any] = read_json(made.result)
        result |= {
            "layers": read_json(made.layers)["layers"],
            "device": read_json(made.environment)["device"],
            "batch_size": config.trainer.batch_size,
            "losses_sha256": losses_digest(made.metrics),
        }
        return result


def losses_digest(metrics: Path) -> str:
    """SHA-256 of the losses of metrics.jsonl with all their bits; of nothing that a repetition may
    change, such as times."""
    records, _ = read_records(metrics)
    losses = [
        repr((each.kind, each.split, each.step, each.loss.hex()))
        for each in records
        if each.loss is not None
    ]
    return hashlib.sha256("\n".join(losses).encode()).hexdigest()


@contextlib.contextmanager
def temporary_runs() -> Iterator[Runs]:
    """A temporary folder for runs, removed however this ends."""
    with tempfile.TemporaryDirectory(prefix="mnist-passport-") as folder:
        yield Runs(Path(folder), data_cache_folder())


def digests(result: Mapping[str, Any]) -> dict[str, str]:
    """What is compared of a run: weights and losses."""
    return {"weights": result["last_weights_sha256"], "losses": result["losses_sha256"]}


def reference_words(model: str, device: str, precision: str, threads: int) -> list[str]:
    """The command line of a reference run."""
    where = [f"device={device}", f"device.precision={precision}", f"device.threads={threads}"]
    return [f"model={model}", *RECIPE, *where]


def reference_runs(
    runs: Runs, machine: Mapping[str, Any], counts: Sequence[int]
) -> list[dict[str, Any]]:
    """The reference run of each model with each number of threads, beside the digest that this kind
    of processor is known to give."""
    rows, known = [], known_kinds()
    for threads in counts:
        kind = kind_of(machine, threads)
        expected = expected_digests(kind, RECIPE, known)
        for model in MODELS:
            found = digests(runs.make(*reference_words(model, "cpu", "fp32", threads)))
            verdict = "unknown kind"
            if expected is not None:
                verdict = "as known" if expected[model] == found else "different"
            rows.append(
                {
                    "model": model,
                    "threads": threads,
                    "kind": kind,
                    **found,
                    "expected": expected and dict(expected[model]),
                    "verdict": verdict,
                }
            )
    return rows


def replay(
    runs: Runs, device: str, precision: str, threads: int, first: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Make the reference run of each model twice and compare all bits.

    Args:
        first: digests by model of a first run that was made already.
    """
    rows = []
    for model in MODELS:
        words = reference_words(model, device, precision, threads)
        before = first[model] if first else digests(runs.make(*words))
        after = digests(runs.make(*words))
        rows.append(
            {
                "device": device,
                "precision": precision,
                "model": model,
                "threads": threads,
                "weights": after["weights"],
                "same_bits": before == after,
            }
        )
    return rows


def entries_to_record(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The reference runs as entries of the file of known kinds."""
    entries: dict[int, dict[str, Any]] = {}
    for row in rows:
        entry = entries.setdefault(
            row["threads"], {"kind": row["kind"], "recipe": list(RECIPE), "digests": {}}
        )
        entry["digests"][row["model"]] = {"weights": row["weights"], "losses": row["losses"]}
    return list(entries.values())
