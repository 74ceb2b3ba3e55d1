"""The files of a learning-rate test: JSON, PNG and events for TensorBoard."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnist_trainer.report.read.json_values import JsonValues
from mnist_trainer.report.render.lr_range_plots import draw_rates
from mnist_trainer.report.render.raster import pixels
from mnist_trainer.system.files import atomic_write

JSON_FILE, PNG_FILE = "learning-rate.json", "learning-rate.png"
FILES = (JSON_FILE, PNG_FILE)
STEPS_PER_DECADE, STEP_OF_ONE = 100, 1000
"""Steps in TensorBoard, which knows whole numbers only: 1000 is a rate of 1, 900 one of 0.1."""


def write_files(folder: Path, content: Mapping[str, Any]) -> None:
    """Write all files.

    Raises:
        OSError: one cannot be written.
    """
    picture = pixels(lambda figure: draw_rates(JsonValues(content), figure))
    with atomic_write(folder / JSON_FILE) as file:
        file.write(json.dumps(content, indent=1, allow_nan=False).encode() + b"\n")
    _write_png(folder / PNG_FILE, picture)
    _write_events(folder, content, picture)


def _write_png(path: Path, picture: Any) -> None:
    from PIL import Image

    with atomic_write(path) as file:
        Image.fromarray(picture).save(file, format="PNG")


def rate_step(rate: float) -> int:
    """Step of a rate in TensorBoard, on a logarithmic grid; at least 0."""
    return max(0, round(STEP_OF_ONE + STEPS_PER_DECADE * math.log10(rate)))


def _write_events(folder: Path, content: Mapping[str, Any], picture: Any) -> None:
    from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(str(folder))
    with writer:
        for point in content["points"]:
            step = rate_step(point["rate"])
            writer.add_scalar("find_lr/rate", point["rate"], step)
            writer.add_scalar("find_lr/stable_runs", point["stable"], step)
            if point["mean"] is not None:
                for name in ("mean", "low", "high"):
                    writer.add_scalar(f"find_lr/loss_{name}", point[name], step)
        writer.add_image("find_lr/figure", picture, dataformats="HWC")
        writer.add_text(
            "find_lr",
            f"Step {STEP_OF_ONE} is a learning rate of 1, and {STEPS_PER_DECADE} steps are a factor"
            f" of ten; `find_lr/rate` shows it. Train with:\n\n    {content['command']}",
        )
