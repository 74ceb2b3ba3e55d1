"""Read image files with bounded memory: upright 8-bit RGB without alpha, downsampled."""

import os
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mnist_trainer.errors import DataError

FORMATS = (
    "PNG",
    "JPEG",
    "GIF",
    "BMP",
    "TIFF",
    "WEBP",
    "AVIF",
    "PPM",
    "TGA",
    "JPEG2000",
    "ICO",
    "PCX",
)
"""Pillow's readers that are used; none of them starts another program."""
SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".mpo",
    ".gif",
    ".bmp",
    ".dib",
    ".tif",
    ".tiff",
    ".webp",
    ".avif",
    ".ppm",
    ".pgm",
    ".pbm",
    ".pnm",
    ".tga",
    ".jp2",
    ".j2k",
    ".ico",
    ".pcx",
)
HEIC_SUFFIXES = (".heic", ".heif", ".hif")
"""Pictures of telephones that are not read, and are not passed over in silence."""
SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
"""How PNG, TIFF, JPEG and GIF files begin."""
MAX_PIXELS = 50_000_000
"""Most pixels that are unpacked: 200 MB at four bytes each. JPEG files may have three times as
many: they are read smaller."""
MAX_JPEG_PIXELS = 3 * MAX_PIXELS
MAX_BYTES = 200_000_000
"""Largest file that is read, in bytes."""
LEAST_SIDE = 8
"""Shorter side that must be left when a long picture is averaged down, in pixels: nothing can be
read in less."""
UPRIGHT = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_270,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_90,),
}
"""What brings a picture upright, by the value of the EXIF tag Orientation (EXIF 2.32, tag 0x0112).
"""
# What Pillow's readers were seen to raise of damaged bytes.
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    IndexError,
    KeyError,
    AttributeError,
    RuntimeError,
    OverflowError,
    ZeroDivisionError,
    struct.error,
    zlib.error,
)

RGB = NDArray[np.uint8]
"""(H, W, 3): red, green, blue."""


@dataclass(frozen=True)
class SourceImage:
    """A picture that was read."""

    pixels: RGB
    scale: float
    """Pixels of the upright original for each of ours."""


class ImageError(DataError):
    """An image that cannot be used; others of the same command still can."""


def read_image(file: Path | BinaryIO, working_side: int) -> SourceImage:
    """Read a picture: upright, opaque, averaged down until its longer side is at most
    ``working_side`` pixels.

    Raises:
        ImageError: empty, damaged, too large, or no picture; the message does not name the file.
    """
    if isinstance(file, Path):
        check_file(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # Pillow's own warnings about size: the limits here are lower.
            with Image.open(file, formats=FORMATS) as image:
                return decode(image, working_side)
    except ImageError:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError, MemoryError, *BROKEN) as error:
        raise ImageError(describe_error(file, error)) from error


def check_file(path: Path) -> None:
    """Check that a path is a file of an acceptable size.

    Raises:
        ImageError: it is not.
    """
    if path.is_symlink() and not path.exists():
        loop = Path(os.path.realpath(path)).is_symlink()
        raise ImageError(
            f"a link that leads {'back to itself' if loop else 'to a file that is gone'}."
        )
    if not path.exists():
        raise ImageError("there is no such file.")
    if not path.is_file():
        raise ImageError("neither a file nor a folder.")
    size = path.stat().st_size
    if size == 0:
        raise ImageError("the file is empty (0 bytes).")
    if size > MAX_BYTES:
        raise ImageError(f"the file has {size:,} bytes; at most {MAX_BYTES:,} are read.")


def describe_error(file: Path | BinaryIO, error: BaseException) -> str:
    """Say why Pillow could not read a file."""
    if isinstance(error, PermissionError):
        return "no permission to read it."
    if isinstance(error, Image.DecompressionBombError):
        return f"too many pixels; at most {MAX_PIXELS:,} are unpacked. Scale it down first."
    if isinstance(error, MemoryError):
        return "the memory of this machine is not enough for it. Scale it down first."
    if isinstance(error, UnidentifiedImageError):
        head = first_bytes(file)
        if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc"):
            return "HEIC, which is not read here. Save it as JPEG or PNG first."
        if head.lstrip()[:4] in (b"%PDF", b"<svg", b"<?xm"):
            return "a document, not a picture of pixels. Save it as PNG first."
        if head.startswith(SIGNATURES):
            return "damaged or cut short: it begins as a picture does, and cannot be read on."
        return f"not a picture that can be read here. Kinds that can: {', '.join(FORMATS)}."
    reason = (str(error).splitlines() or [""])[0][:120].rstrip(".") or type(error).__name__
    return f"damaged or cut short: {reason}."


def first_bytes(file: Path | BinaryIO) -> bytes:
    """The first 16 bytes, to tell what a file is."""
    try:
        if isinstance(file, Path):
            with file.open("rb") as opened:
                return opened.read(16)
        file.seek(0)
        return file.read(16)
    except OSError:
        return b""


def decode(image: Image.Image, working_side: int) -> SourceImage:
    """Decode an opened image, whose pixels are not read yet."""
    width, height = image.size
    most = MAX_JPEG_PIXELS if image.format in ("JPEG", "MPO") else MAX_PIXELS
    # A JPEG can be decoded at a half, quarter or eighth of its size, which saves the memory.
    image.draft(None, (working_side, working_side))
    if width * height > most or image.width * image.height > MAX_PIXELS:
        raise ImageError(
            f"{width:,} x {height:,} pixels are too many; at most {MAX_PIXELS:,} are unpacked."
            " Scale it down first."
        )
    if max(width, height) > working_side and min(width, height) * working_side < LEAST_SIDE * max(
        width, height
    ):
        raise ImageError(
            f"{width:,} x {height:,} pixels are too long and thin. Cut out the part with the"
            " writing."
        )
    orientation = image.getexif().get(0x0112, 1)
    image.load()
    shrunk = downsample(to_eight_bits(image), working_side)
    for step in UPRIGHT.get(orientation, ()):
        shrunk = shrunk.transpose(step)
    return SourceImage(
        flatten_alpha(np.asarray(shrunk.convert("RGBA"))), max(width, height) / max(shrunk.size)
    )


def to_eight_bits(image: Image.Image) -> Image.Image:
    """Convert to 8 bits per channel: deep gray levels are scaled, palettes resolved."""
    if image.mode.startswith(("I", "F")):
        levels: NDArray[Any] = np.asarray(image)
        if image.mode.startswith("I;16"):
            # A camera of 10 or 12 bits leaves the upper ones of 16 empty.
            bits = next(bits for bits in (8, 10, 12, 14, 16) if int(levels.max()) < 2**bits)
            low, high = 0.0, float(2**bits - 1)
        else:
            levels = np.nan_to_num(levels.astype(np.float32), posinf=0.0, neginf=0.0)
            low, high = float(levels.min()), float(levels.max())
        scaled = (levels.astype(np.float32) - low) * (255 / max(high - low, 1e-12))
        return Image.fromarray(scaled.round().astype(np.uint8))
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("P", "PA") or "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode == "La":
        return image.convert("LA")
    if image.mode == "RGBa":
        return image.convert("RGBA")
    return image if image.mode in ("L", "LA", "RGB", "RGBA") else image.convert("RGB")


def downsample(image: Image.Image, working_side: int) -> Image.Image:
    """Averaged over squares of pixels, so that the longer side is at most ``working_side``."""
    factor = -(-max(image.size) // working_side)
    if factor == 1:
        return image
    # RGB behind full transparency mean nothing and are not to be averaged in.
    premultiplied = {"RGBA": "RGBa", "LA": "La"}.get(image.mode)
    if premultiplied:
        return image.convert(premultiplied).reduce(factor).convert(image.mode)
    return image.reduce(factor)


def flatten_alpha(pixels: NDArray[np.uint8]) -> RGB:
    """Put (H, W, 4) with transparency on a backdrop: on what the opaque pixels mostly are, if they
    are most of the picture; else the opaque pixels are the ink, and the backdrop is white or black,
    whichever they stand out from."""
    color, alpha = pixels[..., :3], pixels[..., 3:].astype(np.float32) / 255
    if alpha.min() == 1:
        return np.ascontiguousarray(color)
    visible = color[alpha[..., 0] > 0.5]
    if len(visible) > 0.6 * alpha[..., 0].size:
        backdrop = np.median(visible, axis=0).astype(np.float32)
    else:
        bright = len(visible) > 0 and visible.mean() > 127.5
        backdrop = np.full(3, 0.0 if bright else 255.0, np.float32)
    blended = color * alpha + backdrop * (1 - alpha)
    return np.asarray(np.floor(blended + 0.5), np.uint8)
