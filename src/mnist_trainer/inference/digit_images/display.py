"""Display the input of the network in the terminal and as PNG files; draw probability bars."""

import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from mnist_trainer.inference.digit_images.boxes import Box, DetectedDigit
from mnist_trainer.inference.digit_images.find_images import MARK
from mnist_trainer.inference.digit_images.read_image import SourceImage
from mnist_trainer.system.files import atomic_write

BAR_WIDTH = 24
EIGHTHS = " ▏▎▍▌▋▊▉"
SHADES = " ░▒▓█"
ASCII_SHADES = " .:*#"
BOX_COLOUR, LABEL_COLOUR = (214, 69, 65), (255, 255, 255)
REJECTED_COLOUR = (96, 104, 114)
LEGIBLE_SIDE = 480
"""Longer side from which a picture has room for names, in pixels."""
MOST_REJECTED = 12
"""Boxes around the largest things that were rejected; more hide the picture."""


@dataclass(frozen=True)
class Style:
    """Capabilities of the terminal."""

    blocks: bool
    """Whether block characters can be written."""
    colours: int
    """Bits of colour: 24, 8, or 0 for none."""


def choose_style() -> Style:
    """By the encoding of standard output and by who reads it."""
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    blocks = encoding.startswith("utf")
    watched = (
        sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    )
    if not (blocks and watched):
        return Style(blocks, 0)
    return Style(blocks, 24 if os.environ.get("COLORTERM") in ("truecolor", "24bit") else 8)


def bar(share: float, style: Style) -> str:
    """A bar as long as a probability is large."""
    if not style.blocks:
        return "#" * round(share * BAR_WIDTH)
    eighths = round(share * BAR_WIDTH * 8)
    return "█" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")


def printable(name: str) -> str:
    """A file name without what would steer the terminal or cannot be encoded."""
    encoding = sys.stdout.encoding or "ascii"
    shown = "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in name)
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def render_digits(images: Sequence[NDArray[np.uint8]], style: Style) -> str:
    """Each (28, 28) in 14 lines, as many side by side as the terminal is wide; several are
    numbered."""
    abreast = max(1, (shutil.get_terminal_size().columns - 2) // 30)
    blocks = []
    for start in range(0, len(images), abreast):
        row = [half_blocks(image, style) for image in images[start : start + abreast]]
        lines = ["  ".join(parts) for parts in zip(*row, strict=True)]
        numbers = "  ".join(
            f"{start + index + 1:>3}.".ljust(28) for index in range(len(row))
        ).rstrip()
        blocks += [numbers, *lines] if len(images) > 1 else lines
    return "\n".join(f"  {line}" for line in blocks)


def half_blocks(image: NDArray[np.uint8], style: Style) -> list[str]:
    """The 14 lines of (28, 28): a character shows two pixels, one above the other."""
    lines = []
    for above, below in zip(image[::2].tolist(), image[1::2].tolist(), strict=True):
        pairs = list(zip(above, below, strict=True))
        if style.colours == 24:
            lines.append(
                "".join(f"\x1b[38;2;{a};{a};{a};48;2;{b};{b};{b}m▀" for a, b in pairs) + "\x1b[0m"
            )
        elif style.colours == 8:
            lines.append(
                "".join(f"\x1b[38;5;{grey(a)};48;5;{grey(b)}m▀" for a, b in pairs) + "\x1b[0m"
            )
        else:
            shades = SHADES if style.blocks else ASCII_SHADES
            lines.append("".join(shades[round((a + b) / 510 * 4)] for a, b in pairs))
    return lines


def grey(level: int) -> int:
    """The nearest of the 24 greys of a palette of 256 colours."""
    return 232 + round(level / 255 * 23)


def write_digit_images(
    picture: SourceImage,
    digits: Sequence[DetectedDigit],
    names: Sequence[str],
    folder: Path,
    stem: str,
) -> list[Path]:
    """The 28x28 pixels of each digit as a PNG of that size, and the picture with boxes around
    several digits, or around one and what was taken for something else.

    Raises:
        MachineError: a file cannot be written.
    """
    stem = re.sub(r"[^\w.-]+", "_", stem)[:80] or "picture"
    free, number = stem, 2
    while (folder / f"{free}.png").exists() or (folder / f"{free}-boxes.png").exists():
        free, number = f"{stem}-{number}", number + 1
    if len(digits) == 1:
        written = [write_png(Image.fromarray(digits[0].image), folder / f"{free}.png")]
        if digits[0].rejected:
            written.append(write_png(boxes(picture, digits, names), folder / f"{free}-boxes.png"))
        return written
    written = [write_png(boxes(picture, digits, names), folder / f"{free}-boxes.png")]
    for index, digit in enumerate(digits, start=1):
        written.append(write_png(Image.fromarray(digit.image), folder / f"{free}-digit{index}.png"))
    return written


def boxes(
    picture: SourceImage, digits: Sequence[DetectedDigit], names: Sequence[str]
) -> Image.Image:
    """The picture as it was worked on, enlarged where it is small, with a box and a name at each
    digit, and a grey one with the reason around what was rejected."""
    image = Image.fromarray(picture.pixels)
    factor = -(-LEGIBLE_SIDE // max(image.size))
    image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    for digit, name in zip(digits, names, strict=True):
        scaled = digit.scaled(factor)
        named = [each for each in scaled.rejected if each.reason != "speck"]
        largest = sorted(named, key=lambda each: -each.box.side)[:MOST_REJECTED]
        for each in largest:
            draw_box(image, each.box, each.reason, REJECTED_COLOUR)
        draw_box(image, scaled.box, name, BOX_COLOUR)
    return image


def draw_box(image: Image.Image, box: Box, name: str, colour: tuple[int, int, int]) -> None:
    """A box with its name above it, or below where there is no room, within the image."""
    draw = ImageDraw.Draw(image)
    line = max(1, max(image.size) // 400)
    size = max(12, max(image.size) // 32)
    font = ImageFont.load_default(size)
    frame = (box.left - line, box.top - line, box.right + line, box.bottom + line)
    draw.rectangle(frame, outline=colour, width=line)
    top = box.top - line - size if box.top > size + line else box.bottom + line
    left = max(2, min(box.left, image.width - 2 - int(draw.textlength(name, font=font))))
    top = min(top, image.height - size - 4)
    place = draw.textbbox((left, top), name, font=font)
    draw.rectangle((place[0] - 2, place[1] - 2, place[2] + 2, place[3] + 2), fill=colour)
    draw.text((left, top), name, fill=LABEL_COLOUR, font=font)


def write_png(image: Image.Image, path: Path) -> Path:
    """Save a picture whole or not at all, marked as one that this command has made."""
    marks = PngInfo()
    marks.add_text("Software", MARK.decode())
    with atomic_write(path, elsewhere="--show-dir DIR") as file:
        image.save(file, "PNG", pnginfo=marks)
    return path
