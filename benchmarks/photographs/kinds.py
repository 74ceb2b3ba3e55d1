"""Photographs of cells of forms and squared paper: each kind a set of parameters.

Light, lens and sensor of each picture are drawn anew, and every kind has some of everything: a kind
only names what it has more of.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.photographs import camera
from benchmarks.photographs.glyphs import Glyph, Picture, Plane
from benchmarks.photographs.sheet import (
    BLACK_LINES,
    INKS,
    LINE_INKS,
    Colour,
    Light,
    Place,
    blank_paper,
    lay,
    line,
    shaped,
    textured,
)
from mnist_trainer.inference.digit_images.boxes import Box

SIDES = (56, 400)
"""Shorter side of a picture, in pixels; small ones are cells cut out of a photograph of a page."""
MARGIN = 0.25
"""What is drawn around a picture before it is seen in perspective, as a share of its sides."""
TRIES = 12
"""Placements of a digit that are tried until all of it is in the picture."""


@dataclass(frozen=True)
class PhotographKind:
    """A kind of photograph of a cell."""

    name: str
    printed: float = 0.4
    """Share of printed digits."""
    inks: tuple[str, ...] = ("black", "black", "blue", "blue", "red", "pencil", "green")
    papers: tuple[str, ...] = ("white", "white", "white", "grey", "coloured")
    lines: tuple[str, ...] = ("none", "grid", "sides", "box", "ruled")
    """What lines there may be: of a grid, on one to four sides, a box around it, of ruled paper."""
    black_lines: float = 0.3
    """Share of pictures whose lines are black or nearly so."""
    size: tuple[float, float] = (0.25, 0.9)
    """Longer side of the digit as a share of the shorter side of the picture."""
    pens: tuple[str, ...] = ("ballpoint", "ballpoint", "felt tip", "pencil")
    neighbours: float = 0.15
    """Share of pictures with pieces of neighbours at their edges, crossed out or not."""
    shadow: float = 0.15
    gloss: float = 0.05
    trouble: float = 0.5
    """How bad lens, sensor and JPEG are, 0 to 1."""


PHOTOGRAPHS = (
    PhotographKind("photo: anything"),
    PhotographKind("photo: printed", printed=1.0),
    PhotographKind("photo: handwritten, far off", printed=0.0, size=(0.25, 0.45)),
    PhotographKind("photo: squared paper", lines=("grid",), black_lines=0.1),
    PhotographKind("photo: grey squared paper", papers=("grey",), lines=("grid",), inks=("red",)),
    PhotographKind("photo: red, black lines", inks=("red",), lines=("sides",), black_lines=1.0),
    PhotographKind(
        "photo: colour, box", inks=("blue", "green", "violet", "orange"), lines=("box",)
    ),
    PhotographKind("photo: lines at the edges", lines=("sides", "box"), black_lines=0.7),
    PhotographKind("photo: pencil", printed=0.0, inks=("pencil",), pens=("pencil",)),
    PhotographKind("photo: felt tip", printed=0.0, pens=("felt tip",)),
    PhotographKind("photo: hard shadow", shadow=1.0),
    PhotographKind("photo: glossy", gloss=1.0),
    PhotographKind("photo: cheap camera", trouble=1.0),
    PhotographKind("photo: neighbours", neighbours=1.0, lines=("none", "sides", "box")),
)


def photograph(
    glyph: Glyph,
    kind: PhotographKind,
    others: Sequence[Glyph],
    rng: np.random.Generator,
    sides: tuple[int, int] = SIDES,
) -> Picture:
    """A digit as a photograph.

    Args:
        others: shapes that pieces of neighbours are taken from.
        sides: least and largest shorter side of the picture, in pixels.
    """
    side = float(np.exp(rng.uniform(*np.log(sides))))
    inner = tuple(int(side * rng.choice((1.0, rng.uniform(1, 1.4)))) for _ in range(2))
    pad = (int(inner[0] * MARGIN), int(inner[1] * MARGIN))
    shape = (inner[0] + 2 * pad[0], inner[1] + 2 * pad[1])
    coefficients = camera.homography(shape, 8.0, 0.04, rng)
    coverage, digit, (ink, pen) = written(glyph, kind, (shape, pad), coefficients, rng)
    sheet = blank_paper(shape, kind.papers[rng.integers(len(kind.papers))], rng)
    for each, colour in lines(shape, pad, kind, rng):
        sheet = lay(sheet, each, colour)
    if rng.random() < kind.neighbours:
        for each, colour in neighbours(shape, pad, coverage, (others, ink, pen), rng):
            sheet = lay(sheet, each, colour)
    sheet = lay(sheet, textured(coverage, pen, rng), ink)
    seen = np.stack([camera.view(sheet[..., each], coefficients) for each in range(3)], -1)
    cut = seen[pad[0] : pad[0] + inner[0], pad[1] : pad[1] + inner[1]]
    return Picture(taken(np.clip(cut, 0, 1), kind, rng), box_of(digit), digit)


def written(
    glyph: Glyph,
    kind: PhotographKind,
    frame: tuple[tuple[int, int], tuple[int, int]],
    coefficients: tuple[float, ...],
    rng: np.random.Generator,
) -> tuple[Plane, Plane, tuple[Colour, str]]:
    """Coverage of the digit on the sheet, anywhere in the picture but whole, and as it is seen in
    the picture; its ink and pen."""
    shape, pad = frame
    inner = (shape[0] - 2 * pad[0], shape[1] - 2 * pad[1])
    by_hand = glyph.source == "handwritten"
    pen = kind.pens[rng.integers(len(kind.pens))] if by_hand else "printer"
    names = kind.inks
    palette = INKS[names[rng.integers(len(names))]]
    ink = palette[rng.integers(len(palette))]
    coverage = np.zeros(shape)
    for trial in range(TRIES):
        size = rng.uniform(*kind.size) * min(inner)
        size = max(size * 0.97**trial, 14.0)
        low = [pad[axis] + size / 2 for axis in (0, 1)]
        high = [pad[axis] + inner[axis] - size / 2 for axis in (0, 1)]
        row, column = (rng.uniform(min(a, b), max(a, b)) for a, b in zip(low, high, strict=True))
        place = Place(
            row,
            column,
            size,
            float(np.deg2rad(rng.uniform(-7, 7) if by_hand else rng.uniform(-2, 2))),
            rng.uniform(-0.12, 0.12) if by_hand else 0.0,
            rng.uniform(0.85, 1.15),
        )
        shares = {"felt tip": (0.1, 0.2), "pencil": (0.04, 0.09), "ballpoint": (0.035, 0.09)}
        width = max(1.2, size * rng.uniform(*shares[pen])) if by_hand else None
        coverage = shaped(shape, glyph, place, width)
        seen = camera.view(coverage, coefficients)
        inside = seen[pad[0] + 1 : pad[0] + inner[0] - 1, pad[1] + 1 : pad[1] + inner[1] - 1]
        if inside.sum() >= 0.998 * seen.sum():
            break
    digit = seen[pad[0] : pad[0] + inner[0], pad[1] : pad[1] + inner[1]]
    return coverage, digit, (ink, pen)


def box_of(digit: Plane) -> Box:
    """The box around a digit's coverage."""
    rows, columns = np.nonzero(digit > 0.25)
    return Box(int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1)


Layer = tuple[Plane, Colour]


def lines(
    shape: tuple[int, int], pad: tuple[int, int], kind: PhotographKind, rng: np.random.Generator
) -> list[Layer]:
    """The lines of a picture with their colour, each with a weight, a slope and gaps of its own."""
    pattern = kind.lines[rng.integers(len(kind.lines))]
    if pattern == "none":
        return []
    palette = BLACK_LINES if rng.random() < kind.black_lines else LINE_INKS
    ink = palette[rng.integers(len(palette))]
    inner = min(shape[0] - 2 * pad[0], shape[1] - 2 * pad[1])
    heaviest = 0.05 if pattern in ("sides", "box") else 0.02
    weight = max(0.6, inner * rng.uniform(0.005, heaviest))
    broken = rng.uniform(0, 0.5) if rng.random() < 0.3 else 0.0
    layers = []
    for at, horizontal in line_places(pattern, shape, pad, rng):
        skew = rng.uniform(-0.02, 0.02) if pattern in ("sides", "box") else 0.0
        along = shape[1] if horizontal else shape[0]
        ends = [(at - skew * along, -9.0), (at + skew * along, along + 9.0)]
        (a, b), (c, d) = ends
        placed = ((a, b), (c, d)) if horizontal else ((b, a), (d, c))
        width = weight * rng.uniform(0.8, 1.25)
        layers.append((line(shape, placed, width, rng, broken=broken), ink))
    return layers


def line_places(
    pattern: str, shape: tuple[int, int], pad: tuple[int, int], rng: np.random.Generator
) -> list[tuple[float, bool]]:
    """Row or column of each line, and whether it is a row."""
    if pattern in ("grid", "ruled"):
        inner = min(shape[0] - 2 * pad[0], shape[1] - 2 * pad[1])
        spacing = inner * rng.uniform(0.12, 0.95)
        rows = np.arange(rng.uniform(0, spacing), shape[0], spacing)
        columns = np.arange(rng.uniform(0, spacing), shape[1], spacing)
        places = [(float(row), True) for row in rows]
        return places + ([(float(c), False) for c in columns] if pattern == "grid" else [])
    sides = [(axis, far) for axis in (0, 1) for far in (False, True)]
    count = 4 if pattern == "box" else int(rng.integers(1, 4))
    places = []
    for index in rng.permutation(4)[:count]:
        axis, far = sides[index]
        length = shape[axis] - 2 * pad[axis]
        inset = length * rng.uniform(-0.03, 0.07)
        places.append((pad[axis] + (length - inset if far else inset), axis == 0))
    return places


def neighbours(
    shape: tuple[int, int],
    pad: tuple[int, int],
    coverage: Plane,
    source: tuple[Sequence[Glyph], Colour, str],
    rng: np.random.Generator,
) -> list[Layer]:
    """Pieces of other digits that the edge of the picture cuts, some crossed out."""
    others, ink, pen = source
    layers = []
    rows, columns = np.nonzero(coverage > 0.1)
    digit = max(np.ptp(rows), np.ptp(columns)) + 1
    for _ in range(int(rng.integers(1, 3))):
        side = digit * rng.uniform(0.7, 1.2)
        axis, far = int(rng.integers(2)), bool(rng.integers(2))
        # Its middle is outside the picture by up to a quarter of its side.
        outside = side * rng.uniform(0.12, 0.4)
        edge = shape[axis] - pad[axis] + outside if far else pad[axis] - outside
        other = rng.uniform(pad[1 - axis], shape[1 - axis] - pad[1 - axis])
        row, column = (edge, other) if axis == 0 else (other, edge)
        glyph = others[int(rng.integers(len(others)))]
        place = Place(row, column, side, float(rng.uniform(-0.15, 0.15)))
        piece = shaped(shape, glyph, place, max(1.2, side * rng.uniform(0.04, 0.09)))
        if rng.random() < 0.4:
            for _ in range(int(rng.integers(1, 4))):
                a, b = rng.uniform(-0.6, 0.6, 2) * side
                ends = ((row + a, column - 0.6 * side), (row + b, column + 0.6 * side))
                piece = np.maximum(piece, line(shape, ends, max(1.0, side * 0.05), rng))
        if (np.minimum(piece, coverage) > 0.1).any():  # It would be another digit.
            continue
        layers.append((textured(piece, pen, rng), ink))
    return layers


def taken(picture: Light, kind: PhotographKind, rng: np.random.Generator) -> bytes:
    """The photograph that a camera takes of a picture."""
    shape = (picture.shape[0], picture.shape[1])
    lit = picture * camera.uneven_light(shape, 0.4, rng)[..., None]
    if rng.random() < kind.shadow:
        lit = lit * camera.hard_shadow(shape, rng)
    if rng.random() < kind.gloss:
        lit = lit + camera.gloss(shape, rng)[..., None]
    trouble = kind.trouble
    reach = min(shape) / 100
    defocus = rng.uniform(0, 1.6 * trouble) * min(1.0 + 0.35 * reach, 2.0) * (reach > 0.6)
    motion = rng.uniform(0, 5 * trouble) * reach if rng.random() < 0.4 * trouble else 0.0
    lit = camera.blur(lit, max(0.4, defocus), min(motion, 10.0), rng)
    cast = rng.uniform(0, 1) if rng.random() < 0.6 else 0.0
    lit = camera.sensor(lit, rng.uniform(0.0, 0.03) * (0.5 + trouble), cast, rng)
    return camera.compressed(lit, (int(75 - 55 * trouble), 95), rng)
