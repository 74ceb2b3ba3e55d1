"""Segment the digits of an image: the main one, or all of them in reading order.

A photograph passes ``remove_background``, ``remove_lines``, ``candidates`` and ``normalize``, in
this order; for all of its digits ``group_strokes`` takes the place of ``candidates``.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
from PIL import Image

from mnist_trainer.inference.digit_images.boxes import Box, DetectedDigit, Rejected
from mnist_trainer.inference.digit_images.candidates import (
    Candidate,
    find_candidates,
    keep_components,
    remove_frames_and_specks,
)
from mnist_trainer.inference.digit_images.components import MAX_COMPONENTS, label_components
from mnist_trainer.inference.digit_images.computer_drawing import (
    as_dataset_image,
    as_mnist_image,
    ink_of_drawing,
)
from mnist_trainer.inference.digit_images.group_strokes import (
    bounding_box,
    group_strokes,
    reading_order,
    remove_line_work,
)
from mnist_trainer.inference.digit_images.normalize import (
    IMAGE_SIZE,
    VISIBLE,
    Ink,
    normalize_digit,
)
from mnist_trainer.inference.digit_images.read_image import RGB, ImageError, downsample
from mnist_trainer.inference.digit_images.remove_background import (
    INK_THRESHOLD,
    InkMap,
    InkMaps,
    subtract_background,
)
from mnist_trainer.inference.digit_images.remove_lines import remove_lines

PHOTOGRAPH_SIDE = 400
"""Longer side to which a photograph of one digit is averaged down, in pixels."""
LONG_LINE = 0.3
"""Least length of an erased line that is reported, as a share of the picture's shorter side."""
MIN_CONTRAST = 0.06
"""Ink that takes less than this share of the paper's light is an empty sheet."""
NEUTRAL = 0.6
"""Ink whose strongest channel is not more than 1 / this of its weakest is black or grey, and
coloured lines are not it."""
PREFERRED = 0.5
"""Black ink is the digit even if it is only this share as likely as ink of any colour: coloured
lines do not join it."""

NO_INK = "there is no digit in it: nothing stands out from the background."


def find_digit(pixels: RGB, *, other_things: bool = False) -> DetectedDigit:
    """The digit of a picture that holds one.

    Args:
        other_things: the network knows no digits, so that a picture of 28x28 pixels is most likely
            one of its data set's own.

    Raises:
        ImageError: there is no ink in it.
    """
    if (image := as_dataset_image(pixels) if other_things else as_mnist_image(pixels)) is not None:
        return DetectedDigit(image, Box(0, 0, IMAGE_SIZE, IMAGE_SIZE))
    ink = ink_of_drawing(pixels)
    if ink is not None:
        return replace(
            detected_digit(ink), among_several=not other_things and contains_several_digits(ink)
        )
    return main_digit(pixels, of_digits=not other_things)


def find_digits(pixels: RGB) -> list[DetectedDigit]:
    """All digits of a picture, line by line from the top, each line from left to right.

    Raises:
        ImageError: there is no ink in it.
    """
    drawing = ink_of_drawing(pixels)
    ink = ink_of_photograph(pixels) if drawing is None else drawing
    labels, components = label_components(ink >= INK_THRESHOLD)
    if drawing is None:
        components = remove_line_work(components[:MAX_COMPONENTS], labels, ink.shape)
    groups = group_strokes(remove_frames_and_specks(components, labels, ink.shape), labels)
    if not groups:
        raise ImageError(NO_INK)
    lines = reading_order(groups)
    return [
        detected_digit(keep_components(ink, labels, group), number)
        for number, line in enumerate(lines)
        for group in line
    ]


def contains_several_digits(ink: Ink) -> bool:
    """Whether ink is more than one digit for certain: a digit in several strokes, or in a dashed
    pen, is one."""
    labels, components = label_components(ink >= INK_THRESHOLD)
    components = remove_frames_and_specks(components, labels, ink.shape)
    if len(components) > MAX_COMPONENTS:
        return False
    whole = [component for component in components if not component.box.touches_edge(ink.shape)]
    clumps: list[Box] = []
    for box in (bounding_box(group) for group in group_strokes(whole, labels)):
        near = [clump for clump in clumps if may_be_one(box, clump)]
        clumps = [clump for clump in clumps if clump not in near] + [reduce(Box.union, near, box)]
    tallest = max((clump.height for clump in clumps), default=0)
    return (
        sum(
            clump.height >= max(16, 0.4 * tallest) and clump.width <= 1.5 * clump.height
            for clump in clumps
        )
        > 1
    )


def may_be_one(one: Box, other: Box) -> bool:
    """Whether two boxes are as close as the strokes of one digit: nearly touching, or one little
    above the other."""
    height = max(one.height, other.height)
    above = min(one.right, other.right) > max(one.left, other.left)
    return one.gap(other) <= (0.35 if above else 0.08) * height


def detected_digit(ink: Ink, line: int = 0) -> DetectedDigit:
    """Place a digit that is alone in its picture."""
    if ink.max() <= 0:
        raise ImageError(NO_INK)
    rows, columns = np.nonzero(ink >= VISIBLE)
    box = Box(int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1)
    return DetectedDigit(normalize_digit(ink), box, line)


def main_digit(pixels: RGB, *, of_digits: bool) -> DetectedDigit:
    """The digit of a photograph that holds one; lines of the paper are taken out.

    Args:
        of_digits: whether the network knows digits: then it is noted whether the picture seems to
            hold several, and the picture is kept for the network that segments digits.
    """
    factor = -(-max(pixels.shape) // PHOTOGRAPH_SIDE)
    maps = subtract_background(np.asarray(downsample(Image.fromarray(pixels), PHOTOGRAPH_SIDE)))
    least = least_contrast(maps)
    without_lines = remove_lines(maps)
    black, coloured, strongest = (
        find_candidates(each, least)
        for each in (without_lines.neutral, without_lines.coloured, without_lines.strongest)
    )
    chosen = choose(black[:1], coloured[:1], strongest[:1], without_lines)
    if chosen is None:
        raise ImageError(NO_INK)
    several = of_digits and contains_several_digits(ink_of_page(without_lines, least))
    lines = erased_lines(maps.strongest, without_lines.strongest)

    def placed(candidate: Candidate) -> DetectedDigit:
        digit = replace(
            detected_digit(candidate.ink),
            among_several=several,
            rejected=(*lines, *candidate.rejected),
            score=candidate.score,
        )
        return digit.scaled(factor)

    first = placed(chosen)
    others = [placed(each) for each in (*black, *coloured, *strongest) if each is not chosen]
    return replace(
        first,
        alternatives=without_duplicates(first, others),
        photograph=pixels if of_digits else None,
    )


def without_duplicates(
    first: DetectedDigit, others: Sequence[DetectedDigit]
) -> tuple[DetectedDigit, ...]:
    """The digits whose images are neither that of the first nor of one before."""
    seen, distinct = {first.image.tobytes()}, []
    for each in others:
        if each.image.tobytes() not in seen:
            seen.add(each.image.tobytes())
            distinct.append(each)
    return tuple(distinct)


def erased_lines(before: InkMap, after: InkMap) -> list[Rejected]:
    """Where lines were erased."""
    _, lines = label_components(before.values - after.values >= MIN_CONTRAST)
    least = LONG_LINE * min(before.values.shape)
    return [Rejected(each.box, "line") for each in lines if each.box.side >= least]


def choose(
    black: Sequence[Candidate],
    coloured: Sequence[Candidate],
    any_ink: Sequence[Candidate],
    maps: InkMaps,
) -> Candidate | None:
    """The candidate of black ink, if it is black, and is not much less like a digit than that of
    any colour; then whichever of the others is more like one.

    Args:
        black, coloured, any_ink: one or none each.
    """
    for candidate in black:
        mask = candidate.ink >= INK_THRESHOLD
        is_black = maps.neutral.values[mask].mean() >= NEUTRAL * maps.strongest.values[mask].mean()
        if is_black and all(candidate.score >= PREFERRED * other.score for other in any_ink):
            return candidate
    return max((*any_ink, *coloured, *black), key=lambda each: each.score, default=None)


def least_contrast(maps: InkMaps) -> float:
    """What ink must have to be told from the grain of the paper."""
    return max(MIN_CONTRAST, 5 * maps.strongest.noise)


def ink_of_photograph(pixels: RGB) -> Ink:
    """0 for paper to 1 for full ink of all digits; lines of the paper are taken out."""
    maps = subtract_background(pixels)
    least = least_contrast(maps)
    return ink_of_page(remove_lines(maps), least)


def ink_of_page(maps: InkMaps, least: float) -> Ink:
    """The ink of all digits: black ink only where there is a good deal of it."""
    neutral = maps.neutral.level >= NEUTRAL * maps.strongest.level
    ink = (maps.neutral if neutral else maps.strongest).full_ink(least)
    if ink is None:
        raise ImageError(NO_INK)
    return ink
