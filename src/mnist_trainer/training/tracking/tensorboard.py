"""TensorBoard event files."""

import threading
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.training.tracking.tracker import MetricRecord, Tracker

GRID_IMAGES = 64
# TensorBoard's histograms end at 1e20; it raises an error where all values lie beyond.
LARGEST_BIN = 1e19

# Option name and the value of a run without it. The same columns for every run, because TensorBoard
# drops those that some runs lack.
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
# For the tab "Custom Scalars": curves that share a chart.
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


class TensorBoard(Tracker):
    """The same records as an event file in the run folder, with images, graph and histograms."""

    def __init__(self, folder: Path, config: RunConfig, purge_step: int | None) -> None:
        """Args:
        purge_step: readers drop events of this step and later ones from older files of the folder.
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
            # TensorBoard's graphs need the deprecated tracer, which warns.
            warnings.simplefilter("ignore")
            # Checking the trace would import all of torch's distributed tensors.
            traced = torch.jit.trace(model, image, check_trace=False)
            self.writer.add_graph(traced, image)
        model.train(was_training)

    def write(self, record: MetricRecord) -> None:
        curve = f"{record.split}_steps" if record.kind == "interval" else record.split
        is_final = record.kind == "final"
        # A session that resumes after the last step drops what lies beyond it, and writes it anew.
        step = record.step + is_final
        for name, value in record.values.items():
            if value is not None:
                tag = f"final/{curve}_{name}" if is_final else f"{name}/{curve}"
                self.writer.add_scalar(tag, value, step)

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
        """Print no traceback for a failed write: the writer raises it again at its next call."""
        if not isinstance(failure.exc_value, OSError):
            self.former_hook(failure)

    def close(self) -> None:
        self.writer.close()
        # Where that fails the hook stays: the thread may end only now.
        threading.excepthook = self.former_hook


def flat_hparams(config: RunConfig) -> dict[str, float | str | bool]:
    """Hyper-parameters of a run under flat names, the same for every run."""
    trainer = config.trainer
    transforms = (*config.transforms.random, *config.transforms.fixed)
    flat: dict[str, float | str | bool] = {
        "model": config.model.choice,
        "loss": config.loss.choice,
        "optimizer": config.optimizer.choice,
        "scheduler": config.scheduler.choice,
        "transforms": transforms[0].choice if transforms else "none",
        "data": config.data.name,
        "device": config.device.type,
        "precision": config.device.precision,
        "engine": trainer.engine,
        "epochs": trainer.epochs,
        "batch_size": trainer.batch_size * trainer.accumulation,
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
    """Tile images (N, 1, H, W) into one image (1, rows * H, columns * W), scaled to 0..1."""
    low, high = images.min(), images.max()
    images = (images - low) / (high - low).clamp(min=1e-9)
    columns = min(columns, len(images))
    rows = [
        torch.cat(list(row), dim=2)
        for row in images[: len(images) // columns * columns].split(columns)
    ]
    return torch.cat(rows, dim=1)
