"""The file of a film: which steps it keeps, how it is projected and rounded, and damage to it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mnist_trainer.errors import DataError
from mnist_trainer.runs.film import (
    SNAPSHOTS,
    Film,
    FilmImages,
    Snapshot,
    film_steps,
    principal_components,
    read_film,
    thinned,
    write_film,
)

RNG = np.random.default_rng(0)


def snapshot(step: int, images: int = 30, width: int = 6) -> Snapshot:
    return Snapshot(
        step=step,
        loss=1 / (1 + step),
        filters=RNG.normal(size=(4, 5, 5)).astype(np.float32),
        predicted=RNG.integers(0, 10, images).astype(np.uint8),
        activations=RNG.normal(size=(images, width)).astype(np.float16),
    )


def film(steps: list[int]) -> Film:
    labels = RNG.integers(0, 10, 30).astype(np.uint8)
    images = FilmImages("validation", np.arange(30, dtype=np.int32), labels)
    return Film(images, 5, tuple(map(snapshot, steps)), None)


@pytest.mark.parametrize("last", [0, 1, 5, 18, 19, 20, 100, 9380, 10**9])
def test_steps_are_distinct_and_end_at_the_last(last: int) -> None:
    steps = film_steps(last)
    assert steps == sorted(set(steps))
    assert (steps[0], steps[-1]) == (0, last)
    assert len(steps) == min(SNAPSHOTS, last + 1)


def test_steps_grow_at_equal_ratios() -> None:
    ratios = np.diff(np.log(film_steps(10**6)[1:]))
    assert ratios.max() - ratios.min() < 0.3


def test_thinning_keeps_both_ends_and_the_widest_gaps() -> None:
    kept = [each.step for each in thinned([snapshot(step) for step in range(1, 40)], 8)]
    assert (kept[0], kept[-1], len(kept)) == (1, 39, 8)
    assert np.diff(kept)[-1] > np.diff(kept)[0]


def test_components_are_those_of_the_covariance() -> None:
    values = RNG.normal(size=(200, 5)) @ RNG.normal(size=(5, 5))
    projection = principal_components(values)
    variances, vectors = np.linalg.eigh(np.cov(values.T))
    for axis, vector in zip(projection.axes, vectors.T[::-1], strict=False):
        assert abs(float(axis @ vector)) == pytest.approx(1, abs=1e-5)
    assert projection.explained == pytest.approx(variances[-2:].sum() / variances.sum())
    assert projection(values).mean(axis=0) == pytest.approx([0, 0], abs=1e-5)


def test_a_film_is_projected_by_its_last_snapshot_and_rounded(tmp_path: Path) -> None:
    path, made = tmp_path / "film.npz", film(film_steps(100))
    write_film(path, made)
    going_on = read_film(path)
    assert going_on is not None
    assert going_on.projection is None
    write_film(path, going_on.projected())
    read = read_film(path)
    assert read is not None
    expected = principal_components(made.snapshots[-1].activations)
    for then, now in zip(made.snapshots, read.snapshots, strict=True):
        assert (then.step, np.float32(then.loss)) == (now.step, np.float32(now.loss))
        np.testing.assert_array_equal(then.predicted, now.predicted)
        assert np.abs(then.filters - now.filters).max() <= 0.501 * read.filter_unit
        assert then.activations is not None
        assert now.points is not None
        np.testing.assert_allclose(now.points, expected(then.activations), atol=1e-3)
    assert read.images.same_as(made.images)


def test_one_wide_network_keeps_few_bits(tmp_path: Path) -> None:
    made = film(film_steps(100))
    filters = RNG.normal(size=(12, 28, 28)).astype(np.float32)
    wide = replace(made, snapshots=tuple(replace(e, filters=filters) for e in made.snapshots))
    write_film(tmp_path / "film.npz", wide.projected())
    assert (tmp_path / "film.npz").stat().st_size < 300_000


def test_a_layer_of_one_unit_and_equal_activations_are_projected() -> None:
    for values in (np.ones((9, 1)), np.zeros((9, 4)), np.ones((1, 3))):
        assert np.isfinite(principal_components(values)(values)).all()


def test_damage_is_told_and_no_file_is_no_film(tmp_path: Path) -> None:
    path = tmp_path / "film.npz"
    assert read_film(path) is None
    made = film([0, 1, 2]).projected()
    write_film(path, made)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="cannot be read as a film"):
        read_film(path)
    images = replace(made.images, positions=made.images.positions[:3])
    swapped = (made.snapshots[1], made.snapshots[0])
    test_images = replace(made.images, split="test")
    for wrong in ({"images": images}, {"snapshots": swapped}, {"images": test_images}):
        write_film(path, replace(made, **wrong))
        with pytest.raises(DataError, match="not a film"):
            read_film(path)
    np.savez(path, steps=np.zeros(3))
    with pytest.raises(DataError, match="film"):
        read_film(path)
