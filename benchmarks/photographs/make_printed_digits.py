"""Draw the digits that ``data=mnist_printed`` adds to MNIST's training images:
``python -m benchmarks.photographs.make_printed_digits``.

Printed ones of the fonts that matplotlib brings (DejaVu, STIX, Computer Modern: licences that allow
it), written ones, and both as photographed and found again. They are shipped as an array, so that
no run depends on a version of FreeType. It takes some ten minutes.
"""

import hashlib
import lzma
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.photographs.training_digits import printed, written
from benchmarks.photographs.training_photographs import in_few_levels, photographed_digits
from mnist_trainer.inference.digit_images.normalize import normalize_digit

PRINTED, WRITTEN, PHOTOGRAPHED = 7000, 3000, 10_000
TARGET = Path(__file__).parents[2] / "src" / "mnist_trainer" / "data" / "mnist"


def main() -> None:
    """Write images and labels in MNIST's format, compressed."""
    rng = np.random.default_rng(0)
    drawn_labels = [index % 10 for index in range(PRINTED + WRITTEN)]
    draws = [printed] * PRINTED + [written] * WRITTEN
    digits = [
        (in_few_levels(normalize_digit(draw(label, rng))), label)
        for draw, label in zip(draws, drawn_labels, strict=True)
    ]
    digits += islice(photographed_digits(), PHOTOGRAPHED)
    images, labels = zip(*digits, strict=True)
    pixels, classes = np.stack(images), np.array(labels, np.uint8)
    contents = {
        "printed-images-idx3-ubyte": header(3, pixels.shape) + pixels.tobytes(),
        "printed-labels-idx1-ubyte": header(1, classes.shape) + classes.tobytes(),
    }
    for name, content in contents.items():
        (TARGET / f"{name}.xz").write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
        print(f'    "{name}": "{hashlib.sha256(content).hexdigest()}",')


def header(rank: int, shape: tuple[int, ...]) -> bytes:
    """The header of an IDX file of bytes."""
    return bytes((0, 0, 8, rank)) + b"".join(side.to_bytes(4, "big") for side in shape)


if __name__ == "__main__":
    main()
