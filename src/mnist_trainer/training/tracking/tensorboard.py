"""TensorBoard event files."""

import threading
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.metric_records import MetricRecord
from mnist_trainer.runs.predictions import Predictions
from mnist_trainer.system.optional_packages import not_importable
from mnist_trainer.training.tracking.hparams import FINAL_METRICS, table_of
from mnist_trainer.training.tracking.pictures import WORST, draw_confusion, draw_mistakes
from mnist_trainer.training.tracking.tracker import (
    FINAL,
    Tracker,
    shown_step,
    tags_of,
)

GRID_IMAGES = 64
# TensorBoard's histograms end at 1e20; it raises an error where all values lie beyond.
LARGEST_BIN = 1e19

# For the tab "Custom Scalars": curves that share a chart. TensorBoard reads tags as patterns, which
# match the beginning of a tag.
CHARTS = {
    "Train and validation": {
        name: ["Multiline", [f"^{name}/{split}$" for split in ("train", "validation", "test")]]
        for name in ("loss", "accuracy")
    },
    "Learning": {
        "learning rate": ["Multiline", ["^learning_rate/train_steps$"]],
        "gradient norm": ["Multiline", ["^gradient_norm/train_steps$"]],
    },
}


class TensorBoard(Tracker):
    """The same records as an event file in the run folder, with images, graph and histograms."""

    def __init__(self, folder: RunFolder, config: RunConfig, purge_step: int | None) -> None:
        """Args:
        purge_step: readers drop events of this step and later ones from older files of the folder.
        """
        # TensorBoard would import it, where it is installed, for event files on S3.
        with not_importable("boto3"):
            from torch.utils.tensorboard import SummaryWriter

        self.folder = folder
        self.path = folder.path / "events.out.tfevents"
        self.finals: list[MetricRecord] = []
        self.settings = config.tracker
        self.former_hook = threading.excepthook
        threading.excepthook = self._thread_failed
        self.writer: Any = SummaryWriter(str(folder.path), purge_step=purge_step)

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
        if record.kind == "final":
            self.finals.append(record)
        for tag, value in tags_of(record).items():
            self.writer.add_scalar(tag, value, shown_step(record))

    def epoch_ended(self, model: nn.Module, step: int) -> None:
        if self.settings.histograms:
            for name, parameter in model.named_parameters():
                self._add_histogram(f"weights/{name}", parameter.detach(), step)
        self.writer.flush()

    def write_gradients(self, model: nn.Module, step: int) -> None:
        for name, parameter in model.named_parameters():
            if self.settings.histograms and parameter.grad is not None:
                self._add_histogram(f"gradients/{name}", parameter.grad, step)

    def _add_histogram(self, tag: str, values: Tensor, step: int) -> None:
        shown = values.float().cpu().nan_to_num().clamp(-LARGEST_BIN, LARGEST_BIN)
        self.writer.add_histogram(tag, shown, step)

    def write_predictions(
        self, split: str, images: Tensor, predictions: Predictions, step: int
    ) -> None:
        add = partial(self.writer.add_image, global_step=step, dataformats="HWC")
        add(f"{split}/confusion_matrix", draw_confusion(predictions))
        worst = images[torch.from_numpy(predictions.worst(WORST))]
        mistakes = draw_mistakes(worst[:, 0].float().cpu().numpy(), predictions)
        if mistakes is not None:
            add(f"{split}/worst_mistakes", mistakes)

    def flush(self) -> int:
        self.writer.flush()
        return 0

    def finish(self, config: RunConfig) -> None:
        self.writer.add_text("result", result_table(self.finals), shown_step(self.finals[-1]))
        # SummaryWriter.add_hparams would open a second event file in a folder of its own.
        metrics = [f"{FINAL}/{name}" for name in FINAL_METRICS]
        for part in table_of(config, self.folder, metrics):
            self.writer.file_writer.add_summary(part)

    def _thread_failed(self, failure: threading.ExceptHookArgs) -> None:
        """Print no traceback for a failed write: the writer raises it again at its next call."""
        if not isinstance(failure.exc_value, OSError):
            self.former_hook(failure)

    def close(self) -> None:
        self.writer.close()
        # Where that fails the hook stays: the thread may end only now.
        threading.excepthook = self.former_hook


def result_table(finals: Sequence[MetricRecord]) -> str:
    """The final metrics, as a table in Markdown."""
    rows = [
        f"| {each.split} | {each.values['accuracy']:.2%} | {each.values['loss']:.4f} |"
        for each in finals
    ]
    return "\n".join(["| split | accuracy | loss |", "|---|---:|---:|", *rows])


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
