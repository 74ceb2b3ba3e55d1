"""``mnist-train --find-lr`` as a whole, with a small network on few images."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mnist_trainer.cli.train import run_command
from mnist_trainer.errors import ConfigError, DivergedError
from mnist_trainer.launch.find_lr import command as find_lr_command
from mnist_trainer.launch.find_lr.files import rate_step
from mnist_trainer.report.read.discovery import find_runs
from mnist_trainer.runs.folder import is_run_folder
from mnist_trainer.runs.latest import find_latest

WORDS = (
    *("--find-lr", "model=linear", "device=cpu", "data.train_limit=1280"),
    *("find_lr.steps=10", "find_lr.seeds=2", "find_lr.resamples=100", "find_lr.per_decade=2"),
    *("find_lr.lowest=0.001", "find_lr.highest=0.1"),
)


FindLr = Callable[..., None]


@pytest.fixture
def find_lr(tmp_path: Path, data_root: Path, monkeypatch: pytest.MonkeyPatch) -> FindLr:
    """The command, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: run_command([*WORDS, f"data.root={data_root}", *words], started=0.0)


def content_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "learning-rate.json").read_text())
    return content


def test_everything_is_written_and_said(
    find_lr: FindLr, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    find_lr("scheduler=onecycle")
    (folder,) = (tmp_path / "outputs" / "find-lr").iterdir()
    content, shown = content_of(folder), capsys.readouterr().out
    assert shown.index("cost: at most") < shown.index("optimizer.lr")
    assert "scheduler=onecycle is replaced" in shown
    assert shown.rstrip().splitlines()[-1] == f"train:  {content['command']}"
    assert f"optimizer.lr={content['recommended']:g}" in content["command"]
    assert len(content["runs"]) == 2 * len(content["points"])
    assert len(content["first_pass"]) + len(content["runs"]) <= content["cost"]["runs"] + 1
    for rate in content["named"].values():
        assert rate is None or rate["low"] <= rate["value"] <= rate["high"]
    assert np.asarray(Image.open(folder / "learning-rate.png")).std() > 0
    events = EventAccumulator(str(folder)).Reload()
    steps = [each.step for each in events.Scalars("find_lr/rate")]
    assert steps == [rate_step(point["rate"]) for point in content["points"]]
    assert events.Tags()["images"] == ["find_lr/figure"]
    # Nothing takes the folder for a run.
    assert not is_run_folder(folder)
    assert find_latest() is None
    with pytest.raises(ConfigError, match="holds no run"):
        find_runs("outputs")


def test_the_same_seed_gives_the_same_numbers(find_lr: FindLr, tmp_path: Path) -> None:
    for name in ("a", "b"):
        find_lr(f"hydra.run.dir={name}")
    a, b = (content_of(tmp_path / name) for name in ("a", "b"))
    for content in (a, b):
        for key in ("made", "seconds", "cost", "words"):
            del content[key]
    assert a == b
    find_lr("hydra.run.dir=c", "seed=1")
    assert content_of(tmp_path / "c")["runs"] != a["runs"]
    with pytest.raises(ConfigError, match=r"already holds learning-rate\.json"):
        find_lr("hydra.run.dir=a")


def test_nothing_stays_where_no_rate_trains(find_lr: FindLr, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="not finite"):
        find_lr("find_lr.lowest=1e29", "find_lr.highest=1e30", "model=fcn", "model.hidden=[8]")
    assert list((tmp_path / "outputs").rglob("*")) == []


def test_nothing_stays_after_a_stop(
    find_lr: FindLr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(find_lr_command, "run_range_test", stopped)
    with pytest.raises(KeyboardInterrupt):
        find_lr()
    assert list((tmp_path / "outputs").rglob("*")) == []


def test_a_folder_with_a_run_is_refused(find_lr: FindLr, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "result.json").write_text("{}")
    with pytest.raises(ConfigError, match="already holds a run"):
        find_lr("hydra.run.dir=run")
