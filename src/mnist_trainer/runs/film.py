"""film.npz: snapshots of a training on a logarithmic time scale, for the page of a lesson.

While the run goes on the file holds the activations of each snapshot; at its end these are
projected to two dimensions, by one projection for all, and everything is rounded to fewer bits. No
torch here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.errors import DataError
from mnist_trainer.runs.npz import Array, read_npz, write_npz

SNAPSHOTS = 20
IMAGES = 500
MAX_WIDTH = 1024
"""Units of a layer whose activations are kept."""
MAX_FILTER_NUMBERS = 12 * 28 * 28
"""Weights of a snapshot that are kept: of a layer of 28x28 inputs those of its first 12 units."""
FINE_NUMBERS = 40_000
"""Weights of a film, up to which they are kept in 16 bits; above in 8."""
MAX_BYTES = 128 * 2**20

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FilmImages:
    """The images that every snapshot looks at."""

    split: str
    """validation; train where the run holds no images out. Never test."""
    positions: NDArray[np.int32]
    """Of each image in its split, (N,)."""
    labels: NDArray[np.uint8]
    """(N,)."""

    def same_as(self, other: "FilmImages") -> bool:
        return (
            self.split == other.split
            and np.array_equal(self.positions, other.positions)
            and np.array_equal(self.labels, other.labels)
        )


@dataclass(frozen=True)
class Projection:
    """The first two principal components of the last snapshot (Pearson 1901)."""

    mean: Floats
    """(W,)."""
    axes: Floats
    """Orthonormal, (2, W)."""
    explained: float
    """The part of the variance of the last snapshot that lies in their plane, 0 to 1."""

    def __call__(self, activations: Array) -> Floats:
        """Points (N, 2) of activations (N, W)."""
        return np.asarray((activations.astype(np.float32) - self.mean) @ self.axes.T, np.float32)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The network after a number of updates."""

    step: int
    loss: float
    """Mean over the images."""
    filters: Floats
    """Weights of the first units of the first layer, (U, H, W)."""
    predicted: NDArray[np.uint8]
    """Predicted class of each image, (N,)."""
    activations: NDArray[np.float16] | None
    """Of the last hidden layer, (N, W); None once they are projected."""
    points: Floats | None = None
    """Their projection, (N, 2)."""

    def projected(self, projection: Projection) -> "Snapshot":
        """The snapshot with points in place of activations."""
        if self.activations is None:
            return self
        return replace(self, activations=None, points=projection(self.activations))

    @property
    def shape(self) -> tuple[int, ...]:
        """What must be the same in all snapshots of a film."""
        return (*self.filters.shape, len(self.predicted))


@dataclass(frozen=True)
class Film:
    """The snapshots of a run, in the order of their steps."""

    images: FilmImages
    steps_per_epoch: int
    snapshots: tuple[Snapshot, ...]
    projection: Projection | None
    """None while the run goes on."""
    filter_unit: float = 0.0
    """In a file that was read: its filters are multiples of it, rounded to the nearest."""

    def projected(self) -> "Film":
        """The film with points: projected, where it is not, by the components of its last snapshot;
        at most ``SNAPSHOTS``, those whose steps lie closest together left out."""
        projection = self.projection or principal_components(self.snapshots[-1].activations)
        kept = tuple(each.projected(projection) for each in thinned(self.snapshots))
        return replace(self, snapshots=kept, projection=projection)

    def up_to(self, step: int) -> "Film":
        """The film without the snapshots behind a step."""
        return replace(self, snapshots=tuple(e for e in self.snapshots if e.step <= step))


def film_steps(last: int, count: int = SNAPSHOTS) -> list[int]:
    """Steps at which snapshots are made: 0, 1, then at equal ratios up to the last one."""
    steps = [0]
    while steps[-1] < last and len(steps) < count:
        here = steps[-1]
        ratio = (last / max(here, 1)) ** (1 / (count - len(steps)))
        steps.append(min(last, max(here + 1, round(here * ratio))))
    return steps


def thinned(snapshots: Sequence[Snapshot], count: int = SNAPSHOTS) -> list[Snapshot]:
    """At most ``count`` snapshots, the first and the last among them."""
    kept = list(snapshots)
    while len(kept) > count:
        gaps = [
            math.log1p(b.step) - math.log1p(a.step) for a, b in zip(kept, kept[2:], strict=False)
        ]
        del kept[1 + gaps.index(min(gaps))]
    return kept


def principal_components(activations: Array | None) -> Projection:
    """The first two principal components of activations (N, W); signs are chosen so that the
    largest entry of each is positive."""
    values = np.zeros((1, 2)) if activations is None else activations.astype(np.float64)
    mean = values.mean(axis=0)
    _, singular, axes = np.linalg.svd(values - mean, full_matrices=False)
    plane = np.zeros((2, values.shape[1]))
    plane[: min(2, len(axes))] = axes[:2]
    largest = np.abs(plane).argmax(axis=1)
    plane *= np.where(plane[[0, 1], largest] < 0, -1, 1)[:, None]
    variance = float((singular**2).sum())
    explained = float((singular[:2] ** 2).sum()) / variance if variance > 0 else 1.0
    return Projection(mean.astype(np.float32), plane.astype(np.float32), explained)


def quantized(values: Array, most: int) -> tuple[NDArray[np.int64], float]:
    """Values as whole multiples of a unit, of at most ``most`` in absolute value, and the unit."""
    largest = float(np.abs(values).max(initial=0))
    unit = float(np.float32(largest / most)) or 1.0
    return np.rint(values.astype(np.float64) / unit).clip(-most, most).astype(np.int64), unit


def write_film(path: Path, film: Film) -> None:
    """Write the film: small where it is projected.

    Raises:
        MachineError: the file could not be written.
    """
    snapshots = film.snapshots
    filters = np.stack([each.filters for each in snapshots])
    arrays: dict[str, Array] = {
        "steps": np.array([each.step for each in snapshots], np.int64),
        "losses": np.array([each.loss for each in snapshots], np.float32),
        "steps_per_epoch": np.array(film.steps_per_epoch, np.int64),
        "predicted": np.stack([each.predicted for each in snapshots]),
        "split": np.array(film.images.split),
        "positions": film.images.positions,
        "labels": film.images.labels,
    }
    if film.projection is None:
        activations = np.stack([each.activations for each in snapshots])  # type: ignore[misc]
        write_npz(path, {**arrays, "filters": filters, "activations": activations})
        return
    fine = filters.size <= FINE_NUMBERS
    whole, unit = quantized(filters, 32767 if fine else 127)
    maps = [each.points for each in snapshots if each.points is not None]
    centres, units, points = zip(*map(_quantized_points, maps), strict=True)
    arrays |= {
        "filters": whole.astype(np.int16 if fine else np.int8),
        "filter_unit": np.array(unit),
        # Each snapshot in its own range: those of the start lie in a small part of the last one's.
        "points": np.stack(points),
        "centres": np.stack(centres),
        "point_units": np.array(units),
        "mean": film.projection.mean,
        "axes": film.projection.axes,
        "explained": np.array(film.projection.explained),
    }
    write_npz(path, arrays, compressed=True)


def _quantized_points(points: Floats) -> tuple[Array, float, Array]:
    """The mean of points (N, 2), and the unit and the whole numbers of what lies around it."""
    centre = points.astype(np.float64).mean(axis=0)
    whole, unit = quantized(points - centre, 32767)
    return centre, unit, whole.astype(np.int16)


def read_film(path: Path) -> Film | None:
    """Read a film; None where there is no file.

    Raises:
        DataError: the file is damaged, or not one of a film.
    """
    if not path.exists():
        return None
    arrays = read_npz(path, MAX_BYTES, "a film")
    try:
        film = _film_of(arrays)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise DataError(f"{path}: cannot be read as a film: {error}") from error
    if problem := _problem(film):
        raise DataError(f"{path}: not a film: {problem}.")
    return film


def _film_of(arrays: dict[str, Array]) -> Film:
    is_projected = "points" in arrays
    unit = float(arrays["filter_unit"]) if is_projected else 1.0
    filters = (arrays["filters"] * np.float64(unit)).astype(np.float32)
    points = None
    if is_projected:
        spread = arrays["points"] * arrays["point_units"].astype(np.float64)[:, None, None]
        points = (spread + arrays["centres"].astype(np.float64)[:, None]).astype(np.float32)
    count = len(arrays["steps"])
    snapshots = tuple(
        Snapshot(
            step=int(arrays["steps"][k]),
            loss=float(arrays["losses"][k]),
            filters=filters[k],
            predicted=arrays["predicted"][k].astype(np.uint8),
            activations=None if is_projected else arrays["activations"][k].astype(np.float16),
            points=None if points is None else points[k],
        )
        for k in range(count)
    )
    images = FilmImages(
        str(arrays["split"]),
        arrays["positions"].astype(np.int32),
        arrays["labels"].astype(np.uint8),
    )
    projection = None
    if is_projected:
        mean, axes = (arrays[name].astype(np.float32) for name in ("mean", "axes"))
        projection = Projection(mean, axes, float(arrays["explained"]))
    steps_per_epoch = int(arrays["steps_per_epoch"])
    return Film(images, steps_per_epoch, snapshots, projection, unit if is_projected else 0.0)


def _problem(film: Film) -> str | None:
    """What of a film that was read does not fit together; None where all does."""
    steps = [each.step for each in film.snapshots]
    if not steps or film.steps_per_epoch < 1:
        return "it has no snapshots"
    if steps != sorted(set(steps)) or steps[0] < 0:
        return f"its steps are {steps}"
    return _problem_of_images(film) or _problem_of_activations(film)


def _problem_of_images(film: Film) -> str | None:
    count = len(film.images.labels)
    if film.images.split not in ("validation", "train"):
        return f"its images are of {film.images.split}"
    if film.images.positions.shape != (count,) or film.images.labels.shape != (count,) or not count:
        return "it has no images"
    if any(len(e.shape) != 4 or e.predicted.shape != (count,) for e in film.snapshots):
        return "its filters or predictions are of another shape"
    finite = all(bool(np.isfinite(each.filters).all()) for each in film.snapshots)
    return None if finite else "its weights are not finite"


def _problem_of_activations(film: Film) -> str | None:
    count, projection = len(film.images.labels), film.projection
    seen = [each.activations if each.points is None else each.points for each in film.snapshots]
    shapes = {None if each is None else each.shape for each in seen}
    first = seen[0]
    if first is None or len(shapes) != 1:
        return "its activations are of another shape"
    if first.shape != (count, 2 if projection else first.shape[-1]):
        return "its points are of another shape"
    if projection and projection.axes.shape != (2, len(projection.mean)):
        return "its projection is of another shape"
    return None if np.isfinite(np.array(seen, np.float32)).all() else "its numbers are not finite"
