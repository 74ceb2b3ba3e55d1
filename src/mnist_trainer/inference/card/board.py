"""A card as a run of TensorBoard: its curves as scalars, its pictures as images."""

import contextlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mnist_trainer.inference.card.pictures import Pixels
from mnist_trainer.system.files import write_failure

EPSILON_STEPS = 1000
"""Steps of TensorBoard are whole numbers: those of attacks are thousandths of epsilon."""


def write_board(
    values: Mapping[str, Any], pictures: Mapping[str, Pixels], folder: Path, elsewhere: str
) -> None:
    """Write a card as a TensorBoard run, in place of an earlier one.

    Args:
        elsewhere: what a user types to have it written to another place.

    Raises:
        MachineError: the folder cannot be written.
    """
    from torch.utils.tensorboard import SummaryWriter

    step = values["checkpoint"]["step"]
    try:
        for path in folder.glob("events.out.tfevents.*"):
            path.unlink()
        with (
            contextlib.closing(SummaryWriter(str(folder))) as writer,
            contextlib.redirect_stdout(io.StringIO()),
        ):
            for name, pixels in pictures.items():
                writer.add_image(name, pixels, step, dataformats="HWC"[: pixels.ndim])
            for name, value, place in curves(values["parts"]):
                writer.add_scalar(name, value, place)
    except OSError as error:
        raise write_failure(folder, error, elsewhere=elsewhere) from error


def curves(parts: Mapping[str, Any]) -> Iterator[tuple[str, float, int]]:
    """The points of all curves: name, value and step, which is the strength of a corruption, the
    thousandfold of epsilon, or the percentage that is answered."""
    for kind in parts.get("corruptions", {}).get("kinds", ()):
        for point in kind["strengths"]:
            yield f"corruptions/{kind['name']}", point["accuracy"], point["strength"]
    attacks = parts.get("attacks", {})
    for name in ("fgsm", "pgd"):
        for point in attacks.get(name, ()):
            step = round(EPSILON_STEPS * point["epsilon"])
            yield f"attacks/{name}", point["accuracy"], step
    for point in parts.get("unknown", {}).get("answered", ()):
        yield "answered/accuracy", point["accuracy"], round(100 * point["coverage"])
