"""Going on with a run: as if it had never stopped."""

import json
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mnist_trainer.runs.checkpoint import load_checkpoint
from tests.integration.conftest import Command, Start, wait_for_step

# Shuffling, augmentation, dropout, a schedule, an average: whatever has a state.
WORDS = (
    "device=cpu",
    "model=cnn",
    "model.dropout=0.3",
    "transforms=augment",
    "scheduler=cosine",
    "trainer.ema_decay=0.9",
    "data.train_limit=1000",
    "data.validation_limit=200",
    "data.test_limit=200",
    "trainer.epochs=3",
    "trainer.batch_size=50",
    "trainer.log_every=7",
    "tracker.images=false",
    "tracker.graph=false",
)
STEPS_PER_EPOCH = 20


def points(folder: Path) -> list[dict[str, Any]]:
    """The points of a run, less what is a matter of time."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        line.pop("images_per_second", None)
    return lines


def differences(first: Any, second: Any, where: str = "") -> list[str]:
    """Where two checkpoints differ, at zero tolerance; settings that only name a place are left
    out."""
    if isinstance(first, dict) and isinstance(second, dict):
        keys = (first.keys() | second.keys()) - {
            "resume",
            "resume_allow_changes",
            "metrics_bytes",
            "root",
            "seconds",
            "throughput",
        }
        return [
            d
            for key in keys
            for d in differences(first.get(key), second.get(key), f"{where}.{key}")
        ]
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        if len(first) != len(second):
            return [where]
        return [
            d
            for k, (a, b) in enumerate(zip(first, second, strict=True))
            for d in differences(a, b, f"{where}[{k}]")
        ]
    if isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        return [] if torch.equal(first, second) else [where]
    return [] if first == second else [where]


def last(folder: Path) -> dict[str, Any]:
    return load_checkpoint(folder / "checkpoints" / "last.pt")


@pytest.fixture(scope="module")
def trained_once(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    command = [
        sys.executable,
        "-m",
        "mnist_trainer",
        *WORDS,
        f"data.root={data_root}",
        "hydra.run.dir=whole",
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "whole"


@pytest.fixture
def uninterrupted(trained_once: Path, tmp_path: Path) -> Path:
    """A run that was left alone from start to end, in ``tmp_path/whole``."""
    return Path(shutil.copytree(trained_once, tmp_path / "whole"))


def test_killed_in_the_middle_of_an_epoch_it_goes_on_as_if_nothing_had_been(
    uninterrupted: Path, start: Start, mnist_train: Command, tmp_path: Path
) -> None:
    """R3, R24: SIGKILL, then resume: weights, optimizer, losses of every step, and no point lost or
    doubled."""
    folder = tmp_path / "killed"
    process = start(*WORDS, f"hydra.run.dir={folder}", "trainer.checkpoint_every=3")
    wait_for_step(folder, 28, process)
    process.kill()
    process.wait()
    at = last(folder)["progress"]
    assert at["step"] < 3 * STEPS_PER_EPOCH
    ended = mnist_train("resume=killed")
    assert ended.code == 0, ended.err
    assert differences(last(uninterrupted), last(folder)) in (
        [],
        [".config.trainer.checkpoint_every"],
    )
    assert points(folder) == points(uninterrupted)
    result = json.loads((folder / "result.json").read_text())
    assert result["resumed_from"].endswith(f"step {at['step']}")
    assert result["test"] == json.loads((uninterrupted / "result.json").read_text())["test"]
    for path in (folder, uninterrupted):
        events = EventAccumulator(str(path), {"scalars": 0})
        events.Reload()
        steps = [event.step for event in events.Scalars("loss/train_steps")]
        assert steps == [7, 14, 20, 21, 28, 35, 40, 42, 49, 56, 60]
        assert [event.step for event in events.Scalars("loss/validation")] == [20, 40, 60]


def test_without_the_random_state_it_would_not(
    uninterrupted: Path, mnist_train: Command, tmp_path: Path
) -> None:
    """R3, the negative control: the comparison does see a difference where one was made."""
    folder = tmp_path / "control"
    assert (
        mnist_train(
            *WORDS, f"hydra.run.dir={folder}", "trainer.epochs=1", "scheduler=constant"
        ).code
        == 0
    )
    (tmp_path / "forgetful.py").write_text(
        "import mnist_trainer.training.state as state\n"
        "state.restore_rng_state = lambda _: None\n"
        "from mnist_trainer.cli.train import main\n"
        "main()\n"
    )
    ended = mnist_train(
        "resume=control", "trainer.epochs=3", module="forgetful", PYTHONPATH=str(tmp_path)
    )
    assert ended.code == 0, ended.err
    other = tmp_path / "remembering"
    assert mnist_train(*WORDS, f"hydra.run.dir={other}", "scheduler=constant").code == 0
    assert ".weights.features.0.weight" in differences(last(other), last(folder))


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_asked_to_stop_it_saves_says_how_to_go_on_and_does(
    number: int, code: int, uninterrupted: Path, start: Start, mnist_train: Command, tmp_path: Path
) -> None:
    """R9, R10."""
    folder = tmp_path / "asked"
    process = start(*WORDS, "hydra.run.dir=asked")
    wait_for_step(folder, 21, process)
    asked = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert time.monotonic() - asked < 5
    assert process.returncode == code
    assert "mnist-train resume=asked" in said
    assert "Traceback" not in said
    assert not list(folder.rglob("*.tmp"))
    ended = mnist_train("resume=asked")
    assert ended.code == 0, ended.err
    assert differences(last(uninterrupted), last(folder)) == []
    assert points(folder) == points(uninterrupted)


def test_a_second_ctrl_c_stops_at_once(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R10: while the step that the first waits for does not end."""
    (tmp_path / "slow_net.py").write_text(
        "import time\nfrom torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self, num_classes):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(784, num_classes))\n"
        "    def forward(self, images):\n"
        "        if self.training: time.sleep(3)\n"
        "        return super().forward(images)\n"
    )
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "slow.yaml").write_text("_target_: slow_net.Net\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("MNIST_TRAINER_TRUST", "slow_net")
    process = start(
        "--config-dir",
        "mine",
        *(w for w in WORDS if "model" not in w),
        "model=slow",
        "hydra.run.dir=slow",
        "trainer.log_every=1",
    )
    wait_for_step(tmp_path / "slow", 1, process)
    time.sleep(0.5)  # The next step has begun, and takes 3 seconds.
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert time.monotonic() - asked < 1.5
    assert process.returncode == 130


def test_at_the_end_of_an_epoch_after_the_end_and_with_more_epochs(
    uninterrupted: Path, mnist_train: Command, tmp_path: Path
) -> None:
    """R4: nothing repeated, nothing skipped, nothing touched where there is nothing to do."""
    before = {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in uninterrupted.rglob("*")
        if path.is_file()
    }
    ended = mnist_train("resume=whole")
    assert ended.code == 0
    assert "finished" in ended.out
    assert before == {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in uninterrupted.rglob("*")
        if path.is_file()
    }
    words = [word for word in WORDS if not word.startswith(("scheduler", "trainer.epochs"))]
    assert mnist_train(*words, "trainer.epochs=1", "hydra.run.dir=grown").code == 0
    assert mnist_train("resume=grown", "trainer.epochs=3").code == 0
    assert mnist_train(*words, "trainer.epochs=3", "hydra.run.dir=at_once").code == 0
    assert differences(last(tmp_path / "at_once"), last(tmp_path / "grown")) == []
    assert points(tmp_path / "grown") == points(tmp_path / "at_once")


@pytest.mark.parametrize(
    "change",
    ["model=fcn", "trainer.batch_size=20", "seed=1", "data=fashion_mnist", "optimizer.lr=0.1"],
)
def test_another_run_is_refused_with_what_differs(
    change: str, uninterrupted: Path, mnist_train: Command
) -> None:
    """R5."""
    words = ["~model.dropout"] if change == "model=fcn" else []
    ended = mnist_train("resume=whole", change, "trainer.epochs=4", *words)
    assert ended.code == 4, ended.err
    assert "->" in ended.err
    assert "resume_allow_changes=true" in ended.err


def test_and_taken_on_request(uninterrupted: Path, mnist_train: Command) -> None:
    """R5."""
    words = (
        "resume=whole",
        "optimizer.lr=0.001",
        "optimizer.momentum=0.7",
        "trainer.epochs=6",
        "resume_allow_changes=true",
    )
    earlier = json.loads((uninterrupted / "result.json").read_text())["seconds"]
    ended = mnist_train(*words)
    assert ended.code == 0, ended.err
    (group,) = last(uninterrupted)["optimizer"]["param_groups"]
    assert (group["initial_lr"], group["momentum"]) == (0.001, 0.7)
    # The cosine's third to sixth epochs of six, of the new rate.
    rates = [
        point["learning_rate"]
        for point in points(uninterrupted)
        if point["kind"] == "interval" and point["epoch"] > 3
    ]
    expected = [0.001 * (1 + math.cos(math.pi * step / 120)) / 2 for step in (63, 70, 77, 80)]
    assert rates[:4] == pytest.approx(expected, rel=1e-9)
    later = json.loads((uninterrupted / "result.json").read_text())["seconds"]
    assert all(later[purpose] > earlier[purpose] for purpose in earlier)


def test_an_optimizer_that_cannot_go_on_leaves_the_run_as_it_was(
    uninterrupted: Path, mnist_train: Command
) -> None:
    written = {path: path.read_bytes() for path in uninterrupted.rglob("*.yaml")}
    ended = mnist_train(
        "resume=whole", "optimizer=adamw", "trainer.epochs=4", "resume_allow_changes=true"
    )
    assert ended.code == 4, ended.err
    assert "torch.optim.AdamW" in ended.err
    assert "torch.optim.SGD" in ended.err
    assert {path: path.read_bytes() for path in uninterrupted.rglob("*.yaml")} == written


QUICK_WORDS = (*WORDS[:1], "model=linear", "data.train_limit=640", "tracker=none")
QUICK_LIMITS = ("data.validation_limit=50", "data.test_limit=50", "trainer.epochs=1")


def test_a_run_that_diverged_goes_on_from_its_good_state(
    mnist_train: Command, tmp_path: Path
) -> None:
    words = (*QUICK_WORDS, *QUICK_LIMITS, "hydra.run.dir=run")
    assert mnist_train(*words).code == 0
    before = (tmp_path / "run" / "config.yaml").read_bytes()
    much = ("trainer.epochs=2", "optimizer.lr=1e38", "resume_allow_changes=true")
    diverged = mnist_train("resume=run", *much)
    assert diverged.code == 5
    command = diverged.err.partition("Go on from it with: mnist-train ")[2].splitlines()[0]
    assert "resume=run" in command
    assert (tmp_path / "run" / "config.yaml").read_bytes() == before
    refused = mnist_train("resume=run", "trainer.epochs=2", "optimizer.lr=0.01")
    assert refused.code == 4
    assert "add resume_allow_changes=true to this command" in refused.err
    gone_on = mnist_train(*command.split()[:2], "optimizer.lr=0.01", "resume_allow_changes=true")
    assert gone_on.code == 0, gone_on.err


def test_settings_that_change_numbers_are_refused_or_said(
    mnist_train: Command, tmp_path: Path
) -> None:
    assert mnist_train(*QUICK_WORDS, *QUICK_LIMITS, "hydra.run.dir=run").code == 0
    refused = mnist_train("resume=run", "trainer.epochs=2", "device.precision=bf16")
    assert refused.code == 4
    assert "device.precision: auto -> bf16" in refused.err
    path = tmp_path / "run" / "environment.json"
    path.write_text(path.read_text().replace('"type": "cpu"', '"type": "cuda"'))
    said = mnist_train("resume=run", "trainer.epochs=2", "device.threads=2")
    assert said.code == 0, said.err
    assert "this run computed on cuda in fp32 so far, and on cpu in fp32" in said.err
    assert "device.threads was None, and is 2" in said.err


def test_latest_and_auto_find_the_run(mnist_train: Command, tmp_path: Path) -> None:
    assert mnist_train(*WORDS, "trainer.epochs=1").code == 0
    ended = mnist_train("resume=latest", "trainer.epochs=2")
    assert ended.code == 0, ended.err
    newest = tmp_path / (tmp_path / "outputs" / "latest").read_text().strip()
    assert json.loads((newest / "result.json").read_text())["epochs"] == 2
    for epochs in (1, 2):
        ended = mnist_train(
            *WORDS, "hydra.run.dir=job-42", "resume=auto", f"trainer.epochs={epochs}"
        )
        assert ended.code == 0, ended.err
    assert json.loads((tmp_path / "job-42" / "result.json").read_text())["resumed_from"] is not None


@pytest.mark.parametrize(
    "words", [["resume=nowhere"], ["resume=auto"], ["resume=latest", "-m"], ["resume=."]]
)
def test_a_run_that_is_not_there_is_told(words: list[str], mnist_train: Command) -> None:
    ended = mnist_train(*words)
    assert ended.code == 2
    assert len(ended.err.splitlines()) <= 4


def test_asked_to_stop_a_sweep_stops_and_starts_no_other_job(
    start: Start, mnist_train: Command, tmp_path: Path
) -> None:
    process = start("-m", *WORDS, "seed=0,1", "sweep=stopped", "tracker=none")
    sweep = tmp_path / "outputs" / "multirun" / "stopped"
    wait_for_step(sweep / "0-seed=0", 14, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert [path.name for path in sweep.iterdir() if path.is_dir()] == ["0-seed=0"]
    assert json.loads((sweep / "0-seed=0" / "result.json").read_text())["status"] == "interrupted"
    # The command that it names works as it stands, and goes on with the job that was stopped.
    (words,) = (
        shlex.split(line.partition("Go on with: ")[2])
        for line in said.splitlines()
        if "Go on with" in line
    )
    assert words[0] == "mnist-train"
    assert mnist_train(*words[1:], on_data=False).code == 0
    results = {
        job.name: json.loads((job / "result.json").read_text())
        for job in sweep.iterdir()
        if job.is_dir()
    }
    assert {name: result["status"] for name, result in results.items()} == {
        "0-seed=0": "completed",
        "1-seed=1": "completed",
    }
    assert results["0-seed=0"]["resumed_from"].startswith("last.pt")
