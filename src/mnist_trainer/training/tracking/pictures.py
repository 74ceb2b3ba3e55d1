"""Pictures for TensorBoard: the confusion matrix and the worst mistakes, drawn by Pillow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.runs.predictions import Predictions

INK, PAPER, MUTED = (28, 33, 40), (255, 255, 255), (89, 99, 110)
RIGHT, WRONG = (0, 114, 178), (192, 79, 0)
CELL, MARGIN = 44, 30
TILE, SCALE, CAPTION, COLUMNS = 96, 3, 34, 8
WORST = 24

Image = NDArray[np.uint8]
"""(H, W, 3)."""


def draw_confusion(predictions: Predictions) -> Image:
    """The confusion matrix: true labels in rows, predicted labels in columns."""
    counts = predictions.confusion()
    names = [predictions.name_of(label)[:12] for label in range(len(counts))]
    left = MARGIN + max(14, 7 * max(map(len, names)))
    size = (left + CELL * len(names) + 8, 2 * MARGIN + CELL * len(names) + 4)
    picture, draw, font = _canvas(size)
    draw.text((left, 4), "predicted label", MUTED, font)
    draw.text((4, MARGIN), "true", MUTED, font)
    diagonal = np.eye(len(counts), dtype=bool)
    most = {True: max(1, counts[diagonal].max()), False: max(1, counts[~diagonal].max(initial=0))}
    for (row, column), count in np.ndenumerate(counts):
        x, y = left + CELL * column, 2 * MARGIN + CELL * row
        color = RIGHT if row == column else WRONG
        share = 0.55 * float(count) / float(most[row == column])
        shade = tuple(round(255 + share * (part - 255)) for part in color)
        draw.rectangle((x, y, x + CELL, y + CELL), shade if count else PAPER, (221, 225, 230))
        ink = INK if count else (190, 195, 200)
        draw.text((x + CELL / 2, y + CELL / 2), str(count), ink, font, "mm")
    for place, name in enumerate(names):
        middle = CELL * place + CELL / 2
        draw.text((left + middle, 2 * MARGIN - 12), name[:6], MUTED, font, "mm")
        draw.text((left - 8, 2 * MARGIN + middle), name, MUTED, font, "rm")
    return np.asarray(picture)


def draw_mistakes(images: NDArray[np.float32], predictions: Predictions) -> Image | None:
    """The misclassified images of highest probability; None where nothing is misclassified.

    Args:
        images: (N, H, W), those of ``predictions.worst(WORST)``, on any scale.
    """
    worst = predictions.worst(WORST)
    if not len(worst):
        return None
    columns = min(COLUMNS, len(worst))
    rows = -(-len(worst) // columns)
    picture, draw, font = _canvas((TILE * columns, (TILE + CAPTION) * rows))
    for place, (index, tile) in enumerate(zip(worst, _gray(images), strict=True)):
        x, y = TILE * (place % columns), (TILE + CAPTION) * (place // columns)
        picture.paste(tile.resize((SCALE * 28, SCALE * 28), 0), (x + 6, y + 6))
        true, predicted = (
            predictions.name_of(int(labels[index]))[:8]
            for labels in (predictions.truth, predictions.predicted)
        )
        text = f"{true} as {predicted}\n{100 * predictions.probability[index]:.1f} %"
        draw.text((x + 6, y + SCALE * 28 + 8), text, INK, font)
    return np.asarray(picture)


def _canvas(size: tuple[int, int]) -> tuple[Any, Any, Any]:
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", size, PAPER)
    return picture, ImageDraw.Draw(picture), ImageFont.load_default(14)


def _gray(images: NDArray[np.float32]) -> Sequence[Any]:
    from PIL import Image

    low, high = images.min(), images.max()
    scaled = 255 * (images - low) / max(float(high - low), 1e-9)
    return [Image.fromarray(each) for each in scaled.round().astype(np.uint8)]
