"""A tracker that ``tracker.extra`` names: given everything, and never in the way of the run."""

import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_trainer import load_run
from mnist_trainer.config.allow_list import TRUST_VARIABLE
from mnist_trainer.errors import ConfigError, RefusedError
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.training.run import train
from tests.conftest import Compose

Trained = Callable[..., Path]
WORDS = (
    "device=cpu",
    "model=linear",
    "transforms=augment",
    "data.train_limit=128",
    "data.validation_limit=50",
    "data.test_limit=50",
    "trainer.epochs=2",
    "trainer.log_every=1",
    "tracker=none",
)
MODULE = '''
import random
import numpy
import torch
from mnist_trainer.training.tracking.tracker import Tracker


class Lines(Tracker):
    """Writes a line per record."""

    def __init__(self, folder, name):
        self.file = (folder.path / name).open("w")

    def write(self, record):
        self.file.write(record.as_json() + "\\n")

    def close(self):
        self.file.close()


class Bad(Tracker):
    calls = []

    def __init__(self, method, error):
        self.method = method
        self.error = {"exit": SystemExit, "disk": OSError, "any": Exception}[error]

    def __getattribute__(self, name):
        if name in ("write", "start", "flush", "finish", "close", "epoch_ended"):
            random.random(), numpy.random.rand(), torch.rand(1)
            if name == object.__getattribute__(self, "method"):
                Bad.calls.append(name)
                raise object.__getattribute__(self, "error")("no server")
        return object.__getattribute__(self, name)


class NoTracker:
    pass
'''


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "my_trackers.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv(TRUST_VARIABLE, "my_trackers")
    monkeypatch.delitem(sys.modules, "my_trackers", raising=False)
    return "my_trackers"


@pytest.fixture
def trained(
    compose: Compose, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Trained:
    """Train into a new folder with these words; return the folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, name: str = "run") -> Path:
        (tmp_path / name).mkdir()
        config = compose(*WORDS, f"data.root={data_root}", *words)
        train(config, RunFolder(tmp_path / name), time.perf_counter())
        return tmp_path / name

    return run


def test_a_trackers_own_class_is_given_every_record(trained: Trained, trusted: str) -> None:
    folder = trained("tracker.extra={_target_: my_trackers.Lines, name: own.jsonl}")
    assert (folder / "own.jsonl").read_bytes() == (folder / "metrics.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("method", "error"),
    [("start", "any"), ("write", "exit"), ("flush", "disk"), ("finish", "any"), ("close", "any")],
)
def test_a_tracker_that_fails_is_reported_once_and_changes_nothing(
    method: str, error: str, trained: Trained, trusted: str, caplog: pytest.LogCaptureFixture
) -> None:
    plain = trained(name="plain")
    with caplog.at_level(logging.WARNING):
        node = f"{{_target_: my_trackers.Bad, method: {method}, error: {error}}}"
        folder = trained(f"tracker.extra={node}")
    assert sys.modules["my_trackers"].Bad.calls == [method], "called no more"
    warnings = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "no server" in warnings[0].getMessage()
    results = [json.loads((each / "result.json").read_text()) for each in (plain, folder)]
    assert results[0]["last_weights_sha256"] == results[1]["last_weights_sha256"]


def test_a_class_must_be_trusted(trained: Trained) -> None:
    with pytest.raises(RefusedError, match="not on the list"):
        trained("tracker.extra={_target_: my_trackers.Lines, name: a}")


@pytest.mark.parametrize("target", ["my_trackers.NoTracker", "torch.nn.Linear"])
def test_a_class_must_be_a_tracker(target: str, trained: Trained, trusted: str) -> None:
    with pytest.raises(ConfigError, match="Tracker"):
        trained(f"tracker.extra={{_target_: {target}}}")


def test_a_name_without_a_class_is_refused(trained: Trained) -> None:
    with pytest.raises(ConfigError, match=r"tracker\.extra\._target_ is missing"):
        trained("tracker.extra={uri: a}")


def test_a_run_loads_where_its_tracker_is_not_trusted(
    trained: Trained, trusted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = trained("tracker.extra={_target_: my_trackers.Lines, name: a}")
    monkeypatch.delenv(TRUST_VARIABLE)
    assert load_run(folder, device="cpu").num_classes == 10
