"""Bands of a group: its mean and interval at each step."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_trainer.errors import ConfigError
from mnist_trainer.report.analysis.bands import bands_of
from mnist_trainer.report.analysis.groups import group_runs
from mnist_trainer.report.analysis.statistics import mean_interval
from mnist_trainer.report.read.discovery import find_runs
from mnist_trainer.report.read.records import read_run
from mnist_trainer.report.render.tensorboard import bands_folder, shaded_tag, write_bands

MakeRun = Callable[..., Path]


@pytest.fixture
def sweep(make_run: MakeRun, tmp_path: Path) -> Path:
    """Two recipes with three and two seeds; the loss of a seed is 0.1 above that of the one
    before."""
    for rate, seeds in ((0.1, 3), (0.2, 2)):
        for seed in range(seeds):
            path = make_run(f"s/{rate}-{seed}", seed=seed, settings={"optimizer.lr": rate})
            text = (path / "metrics.jsonl").read_text()
            (path / "metrics.jsonl").write_text(
                text.replace('"loss": 1.2', f'"loss": {1.2 + seed / 10}')
            )
    return tmp_path / "s"


def test_points_are_mean_and_interval(sweep: Path) -> None:
    group = max(group_runs(find_runs(str(sweep))), key=lambda each: len(each.completed))
    bands = {band.tag: band for band in bands_of(group)}
    point = bands["loss/train_steps"].points[0]
    assert (point.step, point.epoch, point.seeds) == (5, 0.5, 3)
    assert point.mean == pytest.approx(1.3)
    assert (point.low, point.high) == pytest.approx(mean_interval([1.2, 1.3, 1.4], 0.0))
    assert set(bands) == {
        f"{name}/{part}"
        for name in ("loss", "accuracy")
        for part in ("train_steps", "train", "validation")
    }


def test_single_seeds_have_no_band(make_run: MakeRun, tmp_path: Path) -> None:
    groups = group_runs([read_run(make_run("one"))])
    assert bands_of(groups[0]) == []
    with pytest.raises(ConfigError, match="two completed seeds"):
        write_bands(groups, tmp_path / "bands")


def read_back(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The curves in the event files of a folder, by tag."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    found: dict[str, list[tuple[int, float]]] = {}
    for file in sorted(folder.glob("events.out.tfevents.*")):
        for event in LegacyEventFileLoader(str(file)).Load():
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_event_files_hold_the_bands(sweep: Path) -> None:
    groups, folder = group_runs(find_runs(str(sweep))), bands_folder(sweep)
    assert len(write_bands(groups, folder)) == 2
    written = write_bands(groups, folder)  # Once more replaces them.
    assert len({path.name for path in written}) == 2
    for group, place in zip(groups, written, strict=True):
        for part in ("mean", "low", "high"):
            curves = read_back(place / part)
            for band in bands_of(group):
                steps, values = zip(*curves[band.tag], strict=True)
                assert steps == tuple(each.step for each in band.points)
                assert values == pytest.approx([getattr(each, part) for each in band.points])


def test_margin_charts_name_curves_that_are_there(sweep: Path) -> None:
    groups = group_runs(find_runs(str(sweep)))
    (first, *_), bands = write_bands(groups, bands_folder(sweep)), bands_of(groups[0])
    curves = read_back(first / "band")
    drawn = [band for band in bands if band.kind == "epoch"]
    named = {shaded_tag(band, part) for band in drawn for part in ("mean", "low", "high")}
    assert named == curves.keys() - {"custom_scalars__config__"}
    assert "custom_scalars__config__" in curves


def test_bands_lie_beside_the_sweep_and_are_no_runs(sweep: Path) -> None:
    runs = find_runs(str(sweep.parent))
    folder = bands_folder(sweep)
    write_bands(group_runs(find_runs(str(sweep))), folder)
    assert folder.parent == sweep.parent
    assert find_runs(str(sweep.parent)) == runs
    with pytest.raises(ConfigError, match="holds no run"):
        find_runs(str(folder))


def test_a_run_in_the_place_of_bands_is_left_alone(sweep: Path, make_run: MakeRun) -> None:
    make_run("s-bands")
    with pytest.raises(ConfigError, match="Move it away"):
        bands_folder(sweep)
