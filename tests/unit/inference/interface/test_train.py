"""Training from Python: the words of the command, its weights, its errors; a process left alone."""

import logging
import os
import random
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mnist_trainer
from mnist_trainer import load_run, train
from mnist_trainer.errors import ConfigError, DivergedError, UserError
from tests.saved_runs import SMALL

WORDS = (*SMALL, "model=linear", "trainer.epochs=1")


@pytest.fixture
def words(data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of a quick run, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return [*WORDS, f"data.root={data_root}"]


def test_a_run_is_trained_and_loaded(words: list[str]) -> None:
    run = train(words)
    again = load_run("latest", device="cpu")
    assert run.result["weights_sha256"] == run.checkpoint.sha256 == again.checkpoint.sha256
    assert run.config.model.choice == "linear"
    assert [row["epoch"] for row in run.history] == [1]
    assert run.folder is not None
    assert "Epoch 1" in run.folder.log.read_text()
    assert "95 % interval" in repr(run)


def test_a_string_is_parted_as_a_shell_does(
    words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    as_list = train([*words, "name=two words"], verbose=False)
    assert capfd.readouterr().out == ""
    as_text = train(" ".join([*words, "'name=two words'"]))
    assert as_list.checkpoint.sha256 == as_text.checkpoint.sha256
    assert as_text.config.plain["name"] == "two words"


def test_a_run_is_resumed(words: list[str]) -> None:
    whole = train([*words, "trainer.epochs=2"])
    half = train(words)
    resumed = train([f"resume={half.folder}", "trainer.epochs=2"])
    assert resumed.folder == half.folder
    assert resumed.result["last_weights_sha256"] == whole.result["last_weights_sha256"]
    assert train([f"resume={half.folder}"]).checkpoint.sha256 == resumed.checkpoint.sha256


def test_the_process_is_left_as_it_was(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    root, own = logging.getLogger(), logging.getLogger("mnist_trainer")

    def state() -> dict[str, Any]:
        return {
            "signals": [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)],
            "logging": (root.level, [*root.handlers], own.level, [*own.handlers], own.propagate),
            "random": (random.getstate(), torch.get_rng_state().tolist()),
            "numpy": np.random.get_state(legacy=True)[1].tolist(),  # type: ignore[index]
            "folder": Path.cwd(),
            "threads": (torch.get_num_threads(), threading.active_count()),
            "environment": dict(os.environ),
            "arguments": [*sys.argv],
            "deterministic": torch.are_deterministic_algorithms_enabled(),
        }

    before = state()
    train([*words, "device.threads=2", "seed=7"])
    with pytest.raises(UserError):
        train([*words, "device.threads=2", "optimizer.lr=1e38", "trainer.batch_size=8"])
    assert state() == before
    assert "test:" in capfd.readouterr().out


def test_the_handlers_of_the_caller_get_what_their_level_lets_through(
    words: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    train(words)
    assert [r for r in caplog.records if r.levelno < logging.WARNING] == []
    with caplog.at_level(logging.INFO, logger="mnist_trainer"):
        run = train(words)
    assert run.folder is not None
    assert "Epoch 1" in caplog.text
    assert "Epoch 1" in run.folder.log.read_text()


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["-m", "seed=0,1"], r"-m: .*mnist-train -m seed=0,1"),
        (["seed=0,1"], r"seed=0,1: several values are a sweep.*mnist-train -m seed=0,1"),
        (["hydra.mode=MULTIRUN"], r"hydra.mode=MULTIRUN: .*mnist-train -m"),
        (["--help"], r"--help: .*mnist-train --help"),
        (["--cfg=job"], r"--cfg=job: "),
        (["trainer.epoch=3"], r"Did you mean trainer.epochs\?"),
        (["model=cn"], r"Did you mean cnn\?"),
        (["data.root"], r"'data.root' is not a setting"),
        (["+model.f._target_=os.system"], r"os.system"),
        ("model='", r"No closing quotation\. Type a list of words"),
        (3, r"overrides=3: .*Type a list of words"),
        ([3], r"overrides: 3 is no text"),
    ],
)
def test_mistakes_are_raised(overrides: Any, expected: str, words: list[str]) -> None:
    with pytest.raises(ConfigError, match=f"(?s){expected}"):
        train(overrides)
    assert not Path("outputs").exists()


def test_several_processes_are_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.setenv(name, "2")
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "0")
    with pytest.raises(ConfigError, match=r"WORLD_SIZE=2: .*torchrun --nproc-per-node 2"):
        train()


def test_a_run_that_diverges_raises(words: list[str]) -> None:
    with pytest.raises(DivergedError, match="no longer finite"):
        train([*words, "optimizer.lr=1e38", "trainer.batch_size=8"])


def test_it_runs_outside_the_main_thread(words: list[str]) -> None:
    trained: list[str] = []
    thread = threading.Thread(target=lambda: trained.append(train(words).checkpoint.sha256))
    thread.start()
    thread.join()
    assert trained == [train(words).checkpoint.sha256]


def test_public_names_are_listed() -> None:
    assert {"train", "load_run", "MnistClassifier", "__version__"} <= set(dir(mnist_trainer))
    assert {*mnist_trainer.__all__} <= set(dir(mnist_trainer))
    assert all(getattr(mnist_trainer, name) is not None for name in mnist_trainer.__all__)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = mnist_trainer.trian
