import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mnist_trainer.data.images import LabelledImages
from mnist_trainer.inference.digit_images.computer_drawing import as_mnist_image, ink_of_drawing
from mnist_trainer.inference.digit_images.read_image import ImageError
from mnist_trainer.inference.digit_images.segment import find_digit, find_digits

Bytes = NDArray[np.uint8]


def coloured(grey: NDArray[np.generic]) -> Bytes:
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def enlarged(digit: Bytes, side: int = 168) -> NDArray[np.float64]:
    return (
        np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC), float)
        / 255
    )


def sheet(
    digit: Bytes, shape: tuple[int, int] = (300, 400), at: tuple[int, int] = (70, 90)
) -> NDArray[np.float64]:
    """A digit in black on grey-white paper with some grain."""
    paper = 235 + np.random.default_rng(0).normal(0, 2, shape)
    ink = np.zeros(shape)
    ink[at[0] : at[0] + 168, at[1] : at[1] + 168] = enlarged(digit)
    return paper * (1 - ink) + 30 * ink


def difference(one: Bytes, other: Bytes) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def test_mnist_s_own_images_are_left_alone(some_images: LabelledImages) -> None:
    for image in some_images.images[:300, 0].numpy():
        np.testing.assert_array_equal(find_digit(coloured(image)).image, image)
        np.testing.assert_array_equal(find_digit(coloured(255 - image)).image, image)


def test_one_that_is_not_in_its_place_is_moved(some_images: LabelledImages) -> None:
    image = some_images.images[3, 0].numpy()
    assert as_mnist_image(coloured(np.roll(image, 4, axis=1))) is None


def test_dark_on_light_is_light_on_dark(some_images: LabelledImages) -> None:
    changes, others = [], []
    digits = some_images.images[:20, 0].numpy()
    for image, other in zip(digits, np.roll(digits, 1, axis=0), strict=True):
        large = np.round(255 * enlarged(image))
        dark, light = find_digit(coloured(255 - large)), find_digit(coloured(large))
        np.testing.assert_array_equal(dark.image, light.image)
        changes.append(difference(light.image, image))
        others.append(difference(light.image, other))
    # Enlarging smooths a little away; another digit is something else altogether.
    assert np.mean(changes) < 0.25 * np.mean(others)


@pytest.mark.parametrize("index", range(10))
def test_ruled_lines_shading_and_colour_change_little(
    some_images: LabelledImages, index: int
) -> None:
    image = some_images.images[index, 0].numpy()
    plain = sheet(image)
    reference = find_digit(coloured(plain)).image
    colours = coloured(plain).astype(float)
    for row in range(15, 300, 32):  # Blue lines, and ink on top of them.
        colours[row : row + 2] = np.minimum(colours[row : row + 2], (110, 150, 215))
    colours[:, 40:42] = np.minimum(colours[:, 40:42], (215, 80, 90))
    rows, columns = np.mgrid[0:300, 0:400]
    colours *= (1 - 0.25 * rows / 300 - 0.2 * columns / 400)[..., None]
    assert difference(find_digit(colours.astype(np.uint8)).image, reference) < 12
    assert difference(find_digit(255 - colours.astype(np.uint8)).image, reference) < 12


def test_a_bar_along_a_ruled_line_stays() -> None:
    paper = np.full((300, 300), 240.0)
    paper[20::40] = 150
    paper[99:110, 60:240] = 20  # The bar of a 7, on the line at row 100.
    paper[100:270, 220:232] = 20
    image = find_digit(coloured(paper + np.random.default_rng(0).normal(0, 1, paper.shape))).image
    rows = np.nonzero(image.any(axis=1))[0]
    assert (image[rows[0] : rows[0] + 2].max(axis=0) > 128).sum() >= 16


def test_a_frame_and_specks_are_no_digit(some_images: LabelledImages) -> None:
    image = some_images.images[7, 0].numpy()
    framed = sheet(image)
    reference = find_digit(coloured(framed)).image
    framed[5:9, 5:-5] = framed[-9:-5, 5:-5] = 40
    framed[5:-5, 5:9] = framed[5:-5, -9:-5] = 40
    framed[280:283, 380:383] = 20
    assert difference(find_digit(coloured(framed)).image, reference) < 3


@pytest.mark.parametrize(
    "grey",
    [
        np.full((200, 300), 255),
        np.zeros((200, 300)),
        230 + np.random.default_rng(0).normal(0, 6, (400, 300)),
        np.add.outer(np.linspace(120, 220, 400), np.linspace(0, 20, 300)),
        np.where(np.arange(300)[:, None] % 40 < 2, 150, 240) + np.zeros((1, 400)),
        np.full((1, 1), 9),
        np.full((1, 900), 9),
    ],
    ids=["white", "black", "grain", "shading", "ruled", "one pixel", "one row"],
)
def test_an_empty_sheet_is_said_to_be_empty(grey: NDArray[np.float64]) -> None:
    for find in (find_digit, find_digits):
        with pytest.raises(ImageError, match="no digit in it"):
            find(coloured(grey))


def test_several_are_read_line_by_line(some_images: LabelledImages) -> None:
    digits = some_images.images[:7, 0].numpy()
    paper = np.full((460, 800), 238.0) + np.random.default_rng(0).normal(0, 2, (460, 800))
    places = [(20, 20), (35, 210), (25, 400), (30, 600), (250, 60), (262, 260), (255, 480)]
    for digit, (top, left) in zip(digits, places, strict=True):
        ink = enlarged(digit)
        paper[top : top + 168, left : left + 168] = (
            paper[top : top + 168, left : left + 168] * (1 - ink) + 25 * ink
        )
    found = find_digits(coloured(paper))
    assert [digit.line for digit in found] == [0, 0, 0, 0, 1, 1, 1]
    for one, image, (top, left) in zip(found, digits, places, strict=True):
        assert top <= one.box.top < one.box.bottom <= top + 168
        assert left <= one.box.left < one.box.right <= left + 168
        # As if it were alone on its sheet.
        assert difference(one.image, find_digit(coloured(sheet(image))).image) < 4


def test_several_digits_read_as_one_are_noticed(some_images: LabelledImages) -> None:
    digits = some_images.images[:10, 0].numpy()
    for one, other in zip(digits[::2], digits[1::2], strict=True):
        assert not find_digit(coloured(sheet(one))).among_several
        assert not find_digit(coloured(255 * enlarged(one))).among_several
        side_by_side = np.concatenate([sheet(one), sheet(other)], axis=1)
        assert find_digit(coloured(side_by_side)).among_several
        assert not find_digit(coloured(side_by_side), other_things=True).among_several
        assert find_digit(
            coloured(255 * np.concatenate([enlarged(one), enlarged(other)], axis=1))
        ).among_several


def test_one_digit_in_several_strokes_is_one() -> None:
    open_four = np.full((200, 200), 255.0)
    open_four[40:100, 60:68] = open_four[92:100, 60:115] = 0
    open_four[40:160, 120:128] = 0
    dashed = np.full((200, 200), 255.0)
    dashed[40:160, 90:110] = 0
    dashed[65:70] = dashed[95:100] = dashed[125:130] = 255
    far_bar = np.full((200, 200), 255.0)
    far_bar[40:48, 60:120] = 0
    far_bar[60:150, 50:58] = far_bar[100:108, 50:110] = far_bar[100:150, 102:110] = 0
    for paper in (open_four, dashed, far_bar):
        assert not find_digit(coloured(paper)).among_several


def drawn(
    boxes: dict[tuple[int, int], Bytes], shape: tuple[int, int], sides: dict[tuple[int, int], int]
) -> Bytes:
    """Digits at their places (top, left), each of its own side, on white."""
    ink = np.zeros(shape)
    for (top, left), digit in boxes.items():
        side = sides[top, left]
        ink[top : top + side, left : left + side] = enlarged(digit, side)
    return coloured(255 * (1 - ink))


def test_a_digit_much_smaller_than_its_neighbours_is_read_and_dirt_is_not(
    some_images: LabelledImages,
) -> None:
    digits = some_images.images[:12, 0].numpy()
    for small in digits[[0, 2, 4, 5, 7]]:
        places = {(60, 40): digits[1], (200, 360): small, (60, 520): digits[2]}
        picture = drawn(places, (400, 860), {(60, 40): 300, (200, 360): 85, (60, 520): 300})
        assert len(find_digits(picture)) == 3
    for width in range(14, 27, 4):  # A dot, and a comma nearly as tall as the small digits.
        picture = drawn(
            {(60, 40): digits[1], (60, 520): digits[2]}, (400, 860), {(60, 40): 300, (60, 520): 300}
        )
        picture[20 : 20 + 2 * width, 440 : 440 + width] = 0
        for step in range(44):
            row, column = 250 + step, 470 - step // 2
            picture[row : row + width, column : column + width] = 0
        assert len(find_digits(picture)) == 2


def test_a_raised_digit_stays_in_its_line(some_images: LabelledImages) -> None:
    three, two = (some_images.images[index, 0].numpy() for index in (7, 5))
    for top in (60, 90, 250):
        picture = drawn(
            {(80, 30): three, (top, 330): two}, (500, 600), {(80, 30): 330, (top, 330): 160}
        )
        first, second = find_digits(picture)
        assert (first.line, second.line) == (0, 0)
        assert first.box.left < second.box.left


def test_the_bar_of_a_5_belongs_to_it() -> None:
    paper = np.full((200, 300), 255.0)
    paper[40:48, 60:110] = 0  # The bar, off to the right of the rest.
    paper[54:150, 40:50] = 0
    paper[142:150, 40:100] = 0
    paper[40:150, 200:210] = 0
    assert len(find_digits(coloured(paper))) == 2


def test_a_photograph_is_no_drawing(some_images: LabelledImages) -> None:
    assert ink_of_drawing(coloured(sheet(some_images.images[0, 0].numpy()))) is None
