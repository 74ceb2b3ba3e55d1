"""Figures of an evaluation: PNG files, and TensorBoard with a projector of the features.

TensorBoard's part lies in a folder of its own inside the run's: the curves of the run, and a run
that is going on, are left alone.
"""

import contextlib
import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from mnist_trainer.inference.scoring import plots
from mnist_trainer.inference.scoring.evaluation_result import EvaluationResult, features
from mnist_trainer.inference.scoring.metrics import confident_mistakes
from mnist_trainer.system.files import atomic_write, write_failure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ELSEWHERE = "--output DIR"
GALLERY_SIZE = 32
EMBEDDED = 2000
"""Images in the projector; more make it slow."""
DPI = 130


def draw(scored: EvaluationResult) -> "dict[str, Figure]":
    """All figures, by the name of their file."""
    scores, names = scored.scores, scored.class_names
    title = (
        f"{scored.trained.config.label}, {scored.data} {scored.split},"
        f" {100 * scored.metrics.accuracy:.2f} % correct"
    )
    calibration = scores.calibration
    drawn = {
        "confusion_matrix": plots.confusion_matrix(scores.confusion, names, title),
        "reliability": plots.reliability_diagram(
            calibration.confidence,
            calibration.accuracy,
            calibration.count,
            calibration.error,
            title,
        ),
        "classes": plots.class_bars(scores.precision, scores.recall, scores.f1, names, title),
        "mistakes": plots.gallery(
            find_mistakes(scored),
            f"{title}: the surest of {scores.count - scores.correct:,} mistakes",
        ),
    }
    weights = first_layer(scored.trained.model, scored.trained.image_size)
    if weights is not None:
        drawn["filters"] = plots.filters(
            weights, f"{scored.trained.config.label}: weights of the first layer"
        )
    return drawn


def find_mistakes(scored: EvaluationResult) -> list[plots.Mistake]:
    """The most confident mistakes."""
    own, predicted_names = scored.class_names, scored.trained.class_names
    predicted = scored.probabilities.argmax(axis=1)
    return [
        plots.Mistake(
            image=scored.images[index, 0].numpy(),
            index=index,
            true_label=own[scored.labels[index]],
            predicted_label=predicted_names[predicted[index]],
            probability=float(scored.probabilities[index].max()),
        )
        for index in confident_mistakes(scored.labels, scored.probabilities, GALLERY_SIZE).tolist()
    ]


def first_layer(model: nn.Module, image_size: int) -> "np.ndarray[Any, Any] | None":
    """Weights of the first layer as pictures, (F, H, W): kernels, or rows of a layer that sees the
    whole image.

    None where the first layer is neither.
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d) and layer.in_channels == 1:
            return np.asarray(layer.weight.detach().float().cpu()[:, 0])
        if isinstance(layer, nn.Linear):
            whole = layer.in_features == image_size**2
            rows = layer.weight.detach().float().cpu().numpy()
            return rows.reshape(-1, image_size, image_size) if whole else None
    return None


def write_pictures(drawn: "dict[str, Figure]", folder: Path, stem: str) -> list[Path]:
    """Each figure as ``folder/<stem>-<name>.png``."""
    paths = []
    for name, figure in drawn.items():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DPI)
        path = folder / f"{stem}-{name}.png"
        with atomic_write(path, buffer.tell(), elsewhere=ELSEWHERE) as file:
            file.write(buffer.getvalue())
        paths.append(path)
    return paths


def write_tensorboard(scored: EvaluationResult, drawn: "dict[str, Figure]", folder: Path) -> None:
    """The figures, the numbers and the projector as a TensorBoard run in ``folder``, in place of an
    earlier one.

    Raises:
        MachineError: the folder cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from torch.utils.tensorboard import SummaryWriter

    step = scored.trained.checkpoint.step
    try:
        clear(folder)
        with (
            contextlib.closing(SummaryWriter(str(folder))) as writer,
            # The writer prints what it does in folders of its own.
            contextlib.redirect_stdout(io.StringIO()),
        ):
            for name, figure in drawn.items():
                canvas: Any = FigureCanvasAgg(figure)
                canvas.draw()
                writer.add_image(
                    name, np.asarray(canvas.buffer_rgba())[..., :3], step, dataformats="HWC"
                )
            writer.add_scalar("evaluation/accuracy", scored.metrics.accuracy, step)
            writer.add_scalar("evaluation/loss", scored.metrics.loss, step)
            images = scored.images[:EMBEDDED]
            writer.add_embedding(
                features(scored.trained, images),
                metadata=describe(scored, len(images)),
                metadata_header=["correct", "predicted label", "true label"],
                label_img=sprites(images),
                global_step=step,
                tag="last_features",
            )
    except OSError as error:
        raise write_failure(folder, error, elsewhere=ELSEWHERE) from error


def describe(scored: EvaluationResult, count: int) -> list[list[str]]:
    """Metadata of the first images: whether the prediction is correct, predicted and true label.

    In this order because the projector labels its points by the last one.
    """
    predicted = scored.probabilities[:count].argmax(axis=1)
    return [
        [
            "correct" if label == predicted_label else "wrong",
            scored.trained.class_names[predicted_label],
            scored.class_names[label],
        ]
        for label, predicted_label in zip(
            scored.labels[:count].tolist(), predicted.tolist(), strict=True
        )
    ]


def sprites(images: Tensor) -> Tensor:
    """uint8 (N, 1, H, W) as the projector wants its thumbnails: float 0..1, (N, 3, H, W), dark ink
    on white."""
    return (1 - images.float() / 255).expand(-1, 3, -1, -1)


def clear(folder: Path) -> None:
    """Remove what an earlier evaluation left here, and nothing else."""
    for path in folder.glob("events.out.tfevents.*"):
        path.unlink()
    config = folder / "projector_config.pbtxt"
    if config.exists():
        config.unlink()
    for place in folder.glob("[0-9]*"):
        if (place / "last_features").is_dir():
            shutil.rmtree(place)
