"""The trail of a run: exact, bounded, cut and read by the number of steps alone."""

from pathlib import Path

import pytest

from mnist_trainer.runs.trail import (
    EVERY_DIGEST,
    EVERY_LOSS,
    HEADER,
    MAX_BYTES,
    Parting,
    Trail,
    TrailFile,
    first_parting,
    keeps_digest,
    keeps_loss,
    read_trail,
    size_at,
)


def values(first: int, last: int) -> list[float | int]:
    """What a run appends: a third is no short decimal, so rounding anywhere would show."""
    found: list[float | int] = []
    for step in range(first, last + 1):
        found += [step / 3] if keeps_loss(step) else []
        found += [2**64 - step] if keeps_digest(step) else []
    return found


def written(path: Path, last: int) -> Trail:
    TrailFile(path).append(values(1, last))
    trail = read_trail(path)
    assert trail is not None
    return trail


@pytest.mark.parametrize("last", [1, EVERY_DIGEST + 30, EVERY_LOSS + 700])
def test_numbers_are_read_back_bit_for_bit(tmp_path: Path, last: int) -> None:
    trail = written(tmp_path / "trail.bin", last)
    steps = range(1, last + 1)
    assert trail.losses == {step: step / 3 for step in steps if keeps_loss(step)}
    assert trail.digests == {step: 2**64 - step for step in steps if keeps_digest(step)}
    assert (tmp_path / "trail.bin").stat().st_size == size_at(last)


def test_the_first_steps_are_all_kept_and_every_digest_has_a_loss() -> None:
    assert all(keeps_loss(step) for step in range(1, EVERY_LOSS + 1))
    assert all(keeps_digest(step) for step in range(1, EVERY_DIGEST + 1))
    assert all(keeps_loss(step) for step in range(1, 100_000) if keeps_digest(step))
    assert not keeps_digest(EVERY_DIGEST + 1)
    assert not keeps_loss(EVERY_LOSS + 1)


def test_a_thousand_million_steps_stay_below_the_bound() -> None:
    assert size_at(10**9) < MAX_BYTES


def test_a_resumed_run_goes_on_where_its_checkpoint_was(tmp_path: Path) -> None:
    path = tmp_path / "trail.bin"
    whole = written(tmp_path / "whole.bin", 300)
    written(path, 250)
    TrailFile(path, last_step=120).append(values(121, 300))
    assert read_trail(path) == whole


def test_a_trail_is_written_to_wherever_its_folder_is_moved(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    file = TrailFile(tmp_path / "run" / "trail.bin")
    (tmp_path / "run").rename(tmp_path / "moved")
    (tmp_path / "run").mkdir()
    file.append(values(1, 3))
    file.close()
    assert not list((tmp_path / "run").iterdir())
    assert (tmp_path / "moved" / "trail.bin").stat().st_size == size_at(3)


def test_a_trail_with_a_gap_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "trail.bin"
    written(path, 50)
    TrailFile(path, last_step=51).append(values(52, 60))
    assert not path.exists()
    TrailFile(path, last_step=5).append(values(6, 9))
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"MNTRAIL2" + bytes(64), bytes(MAX_BYTES + 1)])
def test_what_is_no_trail_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "trail.bin").write_bytes(content)
    assert read_trail(tmp_path / "trail.bin") is None


def test_the_largest_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "trail.bin").write_bytes(HEADER + bytes(MAX_BYTES - len(HEADER)))
    trail = read_trail(tmp_path / "trail.bin")
    assert trail is not None
    assert trail.last_step > 10**9


def test_trails_part_at_the_first_number_that_differs() -> None:
    a = Trail({1: 1.0, 2: 0.5, 3: 0.25}, {1: 7, 2: 8})
    assert first_parting(a, a) is None
    b = Trail({**a.losses, 3: 0.3}, a.digests)
    assert first_parting(a, b) == Parting(3, (0.25, 0.3), 2, None)
    assert first_parting(a, Trail(a.losses, {1: 7, 2: 9})) == Parting(2, None, 3, 2)
    assert first_parting(a, Trail(b.losses, {1: 7, 2: 9})) == Parting(3, (0.25, 0.3), 2, 2)
    assert first_parting(a, Trail({1: 1.0}, {})) is None


def test_a_trail_that_ends_early_is_compared_as_far_as_it_goes() -> None:
    short = Trail({1: 1.0}, {})
    assert first_parting(short, Trail({1: 1.0, 2: 3.0}, {1: 4})) is None


def test_losses_that_are_not_finite_are_compared_by_their_bits() -> None:
    a = Trail({1: 1.0, 2: float("nan"), 3: float("inf")}, {})
    assert first_parting(a, Trail(dict(a.losses), {})) is None
    assert first_parting(Trail({1: 0.0}, {}), Trail({1: -0.0}, {})) == Parting(
        1, (0.0, -0.0), 0, None
    )
