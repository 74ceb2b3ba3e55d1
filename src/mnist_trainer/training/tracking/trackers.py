"""Where the numbers of a run go: metrics.jsonl always, TensorBoard beside it where it is wanted."""

import contextlib
import json
import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.errors import MachineError
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.system.files import write_failure

GRID_IMAGES = 64
# TensorBoard's histograms end at 1e20, and it raises an error where all values lie beyond.
LARGEST_BIN = 1e19

# One fixed set of columns for every run, because TensorBoard drops columns that some runs lack:
# option name, and what stands for "this run has no such option".
HPARAM_OPTIONS: dict[str, float | str] = {
    "lr": 0.0,
    "momentum": 0.0,
    "weight_decay": 0.0,
    "dropout": 0.0,
    "label_smoothing": 0.0,
    "activation": "none",
    "hidden": "none",
    "channels": "none",
}
# For the tab "Custom Scalars": the curves that are to be looked at together, in one chart.
CHARTS = {
    "Train and validation": {
        name: ["Multiline", [f"{name}/{split}" for split in ("train", "validation", "test")]]
        for name in ("loss", "accuracy")
    },
    "Learning": {
        "learning rate": ["Multiline", ["learning_rate/train_steps"]],
        "gradient norm": ["Multiline", ["gradient_norm/train_steps"]],
    },
}
FINAL_METRICS = ("validation_accuracy", "validation_loss", "test_accuracy", "test_loss")


@dataclass(frozen=True)
class MetricRecord:
    """One line of metrics.jsonl: what was measured, of which images, when."""

    kind: str
    """interval (since the last log point), epoch, or final."""
    split: str
    epoch: int
    step: int
    """Updates made so far."""
    values: Mapping[str, float | None]

    def as_json(self) -> str:
        head = {"kind": self.kind, "split": self.split, "epoch": self.epoch, "step": self.step}
        return json.dumps({**head, **self.values}, allow_nan=False)


class Tracker(Protocol):
    """A place that keeps the points of a run."""

    path: Path

    def start(self, config: RunConfig, model: nn.Module, images: Tensor) -> None:
        """Note what the run is; ``images`` (N, 1, 28, 28) are the first it is trained on, as the
        model sees them."""
        ...

    def write(self, point: MetricRecord) -> None: ...

    def epoch_ended(self, model: nn.Module, step: int) -> None: ...

    def flush(self) -> int:
        """Bring to disk what was written; returns how many bytes of it are to be kept by a run that
        goes on from here."""
        ...

    def finish(self, config: RunConfig) -> None:
        """The final points are written: note which hyper-parameters led to them."""
        ...

    def close(self) -> None: ...


class MetricsFile:
    """metrics.jsonl: the source of truth."""

    def __init__(self, path: Path, kept_bytes: int = 0) -> None:
        """Args:
        kept_bytes: how much of an older file belongs to the checkpoint that the run goes on from;
        the rest is cut off,
            because it is going to be written again.
        """
        self.path = path
        if path.exists():
            os.truncate(path, min(kept_bytes, path.stat().st_size))
        # Line by line, so that a reader beside the run sees whole lines.
        self.file = path.open("a", encoding="utf-8", buffering=1)

    def start(self, config: RunConfig, model: nn.Module, images: Tensor) -> None:
        pass

    def write(self, point: MetricRecord) -> None:
        line = point.as_json() + "\n"
        with disk_failures(self.path, len(line)):
            self.file.write(line)

    def flush(self) -> int:
        self.file.flush()
        os.fsync(self.file.fileno())
        return self.file.tell()

    def epoch_ended(self, model: nn.Module, step: int) -> None:
        pass

    def finish(self, config: RunConfig) -> None:
        pass

    def close(self) -> None:
        self.file.close()


@contextlib.contextmanager
def disk_failures(path: Path, needed: int | None = None) -> Iterator[None]:
    """Raises:
    MachineError: in place of what the system says of a file that cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise write_failure(path, error, needed) from error


class TensorBoard:
    """The same points as an event file in the run folder, with what only TensorBoard can show."""

    def __init__(self, folder: Path, config: RunConfig, purge_step: int | None) -> None:
        """Args:
        purge_step: readers forget what older files of the folder say of this step and later ones.
        """
        from torch.utils.tensorboard import SummaryWriter

        self.path = folder / "events.out.tfevents"
        self.settings = config.tracker
        self.former_hook = threading.excepthook
        threading.excepthook = self._thread_failed
        self.writer: Any = SummaryWriter(str(folder), purge_step=purge_step)

    def start(self, config: RunConfig, model: nn.Module, images: Tensor) -> None:
        self.writer.add_custom_scalars(CHARTS)
        self.writer.add_text("config", f"```yaml\n{config.yaml}\n```")
        if self.settings.images:
            self.writer.add_image("training_images", image_grid(images[:GRID_IMAGES].float().cpu()))
        if self.settings.graph:
            self._add_graph(model, images[:1])

    def _add_graph(self, model: nn.Module, image: Tensor) -> None:
        was_training = model.training
        model.eval()
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            # The tracer that TensorBoard's graphs are drawn with is an old one, and warns of that.
            warnings.simplefilter("ignore")
            # Checking the trace would load all of torch's distributed tensors; a traced model is
            # taken as it is.
            traced = torch.jit.trace(model, image, check_trace=False)
            self.writer.add_graph(traced, image)
        model.train(was_training)

    def write(self, point: MetricRecord) -> None:
        curve = f"{point.split}_steps" if point.kind == "interval" else point.split
        folder = "final" if point.kind == "final" else ""
        for name, value in point.values.items():
            if value is not None:
                tag = f"{folder}/{curve}_{name}" if folder else f"{name}/{curve}"
                self.writer.add_scalar(tag, value, point.step)

    def epoch_ended(self, model: nn.Module, step: int) -> None:
        if self.settings.histograms:
            for name, parameter in model.named_parameters():
                weights = parameter.detach().float().cpu().clamp(-LARGEST_BIN, LARGEST_BIN)
                self.writer.add_histogram(f"weights/{name}", weights, step)
        self.writer.flush()

    def flush(self) -> int:
        self.writer.flush()
        return 0

    def finish(self, config: RunConfig) -> None:
        from torch.utils.tensorboard.summary import hparams

        # SummaryWriter.add_hparams would open a second event file in a folder of its own.
        metrics = {f"final/{name}": 0.0 for name in FINAL_METRICS}
        for part in hparams(flat_hparams(config), metrics):
            self.writer.file_writer.add_summary(part)

    def _thread_failed(self, failure: threading.ExceptHookArgs) -> None:
        """What the thread of the writer could not write, the writer raises at its next call: no
        need for a traceback."""
        if not isinstance(failure.exc_value, OSError):
            self.former_hook(failure)

    def close(self) -> None:
        threading.excepthook = self.former_hook
        self.writer.close()


class CompositeTracker:
    """Several trackers as one; a context that closes them."""

    def __init__(self, trackers: list[Tracker]) -> None:
        self.trackers = trackers

    def start(self, config: RunConfig, model: nn.Module, images: Tensor) -> None:
        for tracker in self.trackers:
            with disk_failures(tracker.path):
                tracker.start(config, model, images)

    def write(self, point: MetricRecord) -> None:
        for tracker in self.trackers:
            with disk_failures(tracker.path):
                tracker.write(point)

    def epoch_ended(self, model: nn.Module, step: int) -> None:
        for tracker in self.trackers:
            with disk_failures(tracker.path):
                tracker.epoch_ended(model, step)

    def flush(self) -> int:
        kept = 0
        for tracker in self.trackers:
            with disk_failures(tracker.path):
                kept = max(kept, tracker.flush())
        return kept

    def finish(self, config: RunConfig) -> None:
        for tracker in self.trackers:
            with disk_failures(tracker.path):
                tracker.finish(config)

    def close(self) -> None:
        for tracker in self.trackers:
            with disk_failures(tracker.path):
                tracker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # After a fault the files are closed as well as can be: what could not be written is known
        # already.
        with contextlib.suppress(*(() if kind is None else (MachineError,))):
            self.close()


def open_trackers(
    config: RunConfig,
    folder: RunFolder,
    *,
    kept_bytes: int = 0,
    last_step: int | None = None,
    is_main_process: bool = True,
) -> CompositeTracker:
    """The trackers that the configuration asks for; none in a process that is not the first of its
    run.

    Args:
        kept_bytes: of metrics.jsonl, where a run is gone on with.
        last_step: the step that it goes on from; None for a run that begins.
    """
    if not is_main_process:
        return CompositeTracker([])
    trackers: list[Tracker] = [MetricsFile(folder.metrics, kept_bytes)]
    if config.tracker.enabled:
        if last_step is None:
            for path in folder.path.glob("events.out.tfevents.*"):
                path.unlink()
        trackers.append(
            TensorBoard(folder.path, config, None if last_step is None else last_step + 1)
        )
    return CompositeTracker(trackers)


def flat_hparams(config: RunConfig) -> dict[str, float | str | bool]:
    """The hyper-parameters of a run under flat names: the same names for every run."""
    flat: dict[str, float | str | bool] = {
        group: getattr(config, group).choice
        for group in ("model", "loss", "optimizer", "scheduler")
    }
    flat["transforms"] = next(
        (c.choice for c in (*config.random_transforms, *config.fixed_transforms)), "none"
    )
    flat |= {
        "data": config.data.name,
        "device": config.device.type,
        "precision": config.device.precision,
    }
    trainer = config.trainer
    flat |= {
        "engine": trainer.engine,
        "epochs": trainer.epochs,
        "batch_size": trainer.batch_size * trainer.accumulation,
    }
    flat |= {
        "clip_norm": trainer.clip_norm or 0.0,
        "ema_decay": trainer.ema_decay or 0.0,
        "seed": config.seed,
    }
    options = {**config.loss.options, **config.optimizer.options, **config.model.options}
    for name, absent in HPARAM_OPTIONS.items():
        value = options.get(name, absent)
        flat[name] = str(value) if isinstance(absent, str) else value
    return flat


def image_grid(images: Tensor, columns: int = 8) -> Tensor:
    """Images (N, 1, H, W) side by side as one image (1, rows * H, columns * W), the darkest black,
    the brightest white."""
    low, high = images.min(), images.max()
    images = (images - low) / (high - low).clamp(min=1e-9)
    columns = min(columns, len(images))
    rows = [
        torch.cat(list(row), dim=2)
        for row in images[: len(images) // columns * columns].split(columns)
    ]
    return torch.cat(rows, dim=1)
