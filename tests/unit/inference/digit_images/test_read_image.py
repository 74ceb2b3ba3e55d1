import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mnist_trainer.inference.digit_images.read_image import UPRIGHT, ImageError, read_image


def saved(image: Image.Image, kind: str, **options: Any) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def ramp() -> Image.Image:
    """Grey, brighter to the right, with a black bar at the top: every side differs."""
    levels = np.tile(np.linspace(40, 250, 60), (40, 1))
    levels[:8] = 0
    return Image.fromarray(levels.round().astype(np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_kinds_of_files(kind: str, mode: str) -> None:
    pixels = read_image(saved(ramp().convert(mode), kind), 640).pixels
    assert pixels.shape == (40, 60, 3)
    assert np.abs(pixels[..., 1].astype(int) - np.asarray(ramp())).mean() < 3


def sixteen_bits() -> Image.Image:
    return Image.fromarray(np.asarray(ramp()).astype(np.uint16) * 257)


def twelve_of_sixteen_bits() -> Image.Image:
    return Image.fromarray(np.asarray(ramp()).astype(np.uint16) * 16)


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (sixteen_bits(), "PNG"),
        (twelve_of_sixteen_bits(), "TIFF"),
        (ramp().convert("I"), "TIFF"),
        (ramp().convert("P"), "PNG"),
        (ramp().convert("RGB").convert("CMYK"), "JPEG"),
        (ramp().convert("RGB").convert("CMYK"), "TIFF"),
        (ramp().convert("LA"), "PNG"),
        (ramp().convert("RGBA"), "WEBP"),
    ],
)
def test_grey_levels_of_other_modes(image: Image.Image, kind: str) -> None:
    grey = read_image(saved(image, kind), 640).pixels.mean(axis=2)
    expected = np.asarray(ramp(), float)
    assert np.corrcoef(grey.ravel(), expected.ravel())[0, 1] > 0.99
    assert grey.max() > 200


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_brings_it_upright(orientation: int) -> None:
    undo = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    lying = ramp()
    for step in UPRIGHT.get(orientation, ()):
        lying = lying.transpose(undo.get(orientation, step))
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = read_image(saved(lying, "JPEG", exif=exif, quality=95), 640).pixels
    assert np.abs(pixels[..., 0].astype(int) - np.asarray(ramp())).mean() < 6


@pytest.mark.parametrize("ink", [0, 255])
def test_what_is_drawn_on_nothing_stands_out(ink: int) -> None:
    alpha = Image.new("L", (50, 50), 0)
    alpha.paste(255, (20, 10, 30, 40))
    pixels = read_image(
        saved(Image.merge("LA", (Image.new("L", (50, 50), ink), alpha)), "PNG"), 640
    ).pixels
    assert abs(int(pixels[25, 25, 0]) - int(pixels[2, 2, 0])) == 255


def test_a_large_picture_is_averaged_down() -> None:
    picture = read_image(saved(Image.new("L", (3000, 1500), 90), "PNG"), 640)
    assert max(picture.pixels.shape) <= 640
    assert picture.scale == pytest.approx(3000 / max(picture.pixels.shape))
    assert set(picture.pixels.ravel()) == {90}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP"])
def test_cut_short(kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 80), np.uint8))
    content = saved(noise, kind).getvalue()
    with pytest.raises(ImageError, match=r"damaged or cut short|not a picture"):
        read_image(io.BytesIO(content[: len(content) // 2]), 640)


def test_damaged_bytes_are_no_other_error() -> None:
    rng = np.random.default_rng(0)
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "PCX", "ICO"):
        content = saved(ramp(), kind).getvalue()
        for _ in range(25):
            damaged = bytearray(content)
            for place in rng.integers(0, min(len(damaged), 300), 4):
                damaged[place] = rng.integers(256)
            with contextlib.suppress(ImageError):
                read_image(io.BytesIO(bytes(damaged)), 640)


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(ImageError, match="20,000 x 5,000 pixels are too many"):
        read_image(saved(Image.new("1", (20000, 5000)), "PNG"), 640)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"not a picture at all", "not a picture"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"%PDF-1.7 and so on", "document"),
        (b"\x89PNG\r\n\x1a\n and nothing that follows", "damaged"),
        (b"II*\0 and nothing that follows", "damaged"),
    ],
)
def test_what_is_no_picture(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=message):
        read_image(path, 640)


def test_what_would_be_averaged_away_is_refused() -> None:
    with pytest.raises(ImageError, match=r"30,000 x 100 pixels are too long and thin\. Cut out"):
        read_image(saved(Image.new("L", (30000, 100)), "PNG"), 640)
    assert read_image(saved(Image.new("L", (3000, 100)), "PNG"), 640).pixels.shape == (
        20,
        600,
        3,
    )


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        read_image(tmp_path / "absent.png", 640)
    with pytest.raises(ImageError, match="neither a file nor a folder"):
        read_image(Path("/dev/zero"), 640)
