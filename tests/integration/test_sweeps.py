"""R23: a sweep ends in an answer, whatever becomes of single jobs, and the same command goes on
with it."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mnist_trainer.runs.lock import folder_lock
from tests.integration.conftest import Command

TINY = (
    "device=cpu",
    "model=linear",
    "data.train_limit=256",
    "data.validation_limit=100",
    "data.test_limit=100",
    "tracker=none",
    "trainer.epochs=2",
)
# Four of these six train; two diverge.
SIX = (*TINY, "optimizer.lr=0.01,1e38,0.1", "seed=0,1")
FAILING = {"2-optimizer.lr=1e+38,seed=0", "3-optimizer.lr=1e+38,seed=1"}


def results(sweep: Path) -> dict[str, dict[str, Any]]:
    return {
        path.parent.name: json.loads(path.read_text())
        for path in sorted(sweep.glob("*/result.json"))
    }


def weights(sweep: Path) -> dict[str, str]:
    """Hash of the weights of each completed job, by its settings."""
    found = results(sweep)
    return {
        name.partition("-")[2]: r["weights_sha256"]
        for name, r in found.items()
        if r["status"] == "completed"
    }


def content(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def start(data_root: Path, tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mnist_trainer", "-m", *words, f"data.root={data_root}"]
    return subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 100
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    assert path.exists(), process.communicate()[1]


def test_killed_and_started_again_it_runs_only_what_is_missing(
    data_root: Path, mnist_train: Command, tmp_path: Path
) -> None:
    """R23: six jobs, of which two fail, SIGKILL in the middle, then the same command."""
    sweep = tmp_path / "outputs" / "multirun" / "study"
    process = start(data_root, tmp_path, *SIX, "sweep=study")
    wait_for(sweep / "4-optimizer.lr=0.1,seed=0" / "job.json", process)
    process.kill()
    process.communicate()
    done = {
        name: content(sweep / name)
        for name, result in results(sweep).items()
        if result["status"] == "completed"
    }
    assert len(done) >= 2
    assert len(done) < 4

    ended = mnist_train("-m", *SIX, "sweep=study")
    assert ended.code == 1, ended.err
    assert "Traceback" not in ended.err
    assert len(ended.err.splitlines()) <= 10
    found = results(sweep)
    assert {name for name, result in found.items() if result["status"] == "diverged"} == FAILING
    assert sum(result["status"] == "completed" for result in found.values()) == 4
    for name, before in done.items():
        assert content(sweep / name) == before, "what is finished is not touched"
    for name in FAILING:
        assert (
            f"outputs/multirun/study/{name}: The loss or a gradient is no longer finite"
            in ended.err
        )
        assert found[name]["exit_code"] == 5
        assert found[name]["error"] == "DivergedError"
        assert "Traceback" in (sweep / name / "train.log").read_text()
    assert f"already finished: {len(done)} of 6 jobs" in ended.out
    assert "2 of 6 jobs did not finish" in ended.err

    # The command that is named tries the failed ones again, and only these.
    finished = {
        name: content(sweep / name)
        for name, result in found.items()
        if result["status"] == "completed"
    }
    logs = {name: (sweep / name / "train.log").read_text() for name in FAILING}
    (command,) = (
        line.partition("Try them again with: ")[2]
        for line in ended.err.splitlines()
        if "Try them again" in line
    )
    again = mnist_train(*shlex.split(command)[1:], on_data=False)
    assert again.code == 1
    assert "already finished: 4 of 6 jobs" in again.out
    assert again.out.count("tried again") == 2
    assert {name: content(sweep / name) for name in finished} == finished
    for name, log in logs.items():
        assert (sweep / name / "train.log").read_text().startswith(log), (
            "the log of the first attempt is kept"
        )

    # A sweep that was left alone comes to the very same weights, and numbers them the same.
    alone = mnist_train("-m", *SIX, "sweep=alone")
    assert alone.code == 1
    assert weights(sweep.with_name("alone")) == weights(sweep)
    assert results(sweep.with_name("alone")).keys() == found.keys()


def test_enlarged_it_runs_the_new_ones_under_new_numbers(
    mnist_train: Command, tmp_path: Path
) -> None:
    sweep = tmp_path / "outputs" / "multirun" / "grown"
    assert mnist_train("-m", *TINY, "seed=0,1", "sweep=grown").code == 0
    before = {name: content(sweep / name) for name in results(sweep)}
    ended = mnist_train(
        "-m", *TINY, "optimizer.lr=0.1,0.05", "seed=1,2", "sweep=grown", "trainer.log_every=7"
    )
    assert ended.code == 0, ended.err
    # seed=1 at the default rate of 0.05 is the second job of the first sweep, however it was typed.
    assert "already finished: 1 of 4 jobs (#1)" in ended.out
    names = [
        path.name
        for path in sorted(
            sweep.glob("*/result.json"), key=lambda p: int(p.parent.name.split("-")[0])
        )
    ]
    assert len(names) == 5
    numbers = [int(name.split("-")[0]) for name in results(sweep)]
    assert len(set(numbers)) == 5
    assert {name: content(sweep / name) for name in before} == before
    assert "1 other job in the folder" in ended.out
    table = [line.split() for line in ended.out.splitlines()]
    head = next(index for index, line in enumerate(table) if line[:1] == ["rank"])
    assert table[head] == ["rank", "optimizer.lr", "n", "validation", "test", "time", "status"]
    assert {line[1] for line in table[head + 1 : head + 3]} == {"0.1", "0.05"}
    assert all(line[2] == "2" and line[-1] == "done" for line in table[head + 1 : head + 3])


CLASSES = """
import sys
from torch import nn

class Net(nn.Sequential):
    def __init__(self, num_classes, how):
        super().__init__(nn.Flatten(), nn.Linear(784, num_classes))
        self.how = how

    def forward(self, images):
        if self.training and self.how == "raises":
            raise LookupError("no such pixel")
        if self.training and self.how == "exits":
            sys.exit("enough")
        return super().forward(images)
"""


def test_what_a_users_class_raises_is_that_jobs_failure_alone(
    mnist_train: Command, tmp_path: Path
) -> None:
    (tmp_path / "own_net.py").write_text(CLASSES)
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "own.yaml").write_text("_target_: own_net.Net\nhow: works\n")
    words = [
        "--config-dir",
        "mine",
        *(word for word in TINY if word != "model=linear"),
        "model=own",
        "sweep=own",
    ]
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    # The default data folder: mnist_train leaves it to us where there are options.
    ended = mnist_train(
        "-m", *words, "model.how=raises,exits,works", PYTHONPATH=path, MNIST_TRAINER_TRUST="own_net"
    )
    assert ended.code == 1, ended.err
    found = results(tmp_path / "outputs" / "multirun" / "own")
    states = {name.partition("=")[2]: (r["status"], r.get("error")) for name, r in found.items()}
    assert states == {
        "raises": ("failed", "LookupError"),
        "exits": ("failed", "SystemExit"),
        "works": ("completed", None),
    }
    assert "own/0-model.how=raises: LookupError: no such pixel" in ended.err
    log = (
        tmp_path / "outputs" / "multirun" / "own" / "0-model.how=raises" / "train.log"
    ).read_text()
    assert 'own_net.py", line' in log
    assert "Traceback" not in ended.err


def test_an_impossible_combination_is_recorded_and_an_impossible_sweep_refused(
    mnist_train: Command, tmp_path: Path
) -> None:
    ended = mnist_train(
        "-m", *TINY, "trainer.batch_size=0,64", "sweep=partly", "data.validation_size=0"
    )
    assert ended.code == 1, ended.err
    found = results(tmp_path / "outputs" / "multirun" / "partly")
    assert [(r["status"], r.get("exit_code")) for r in found.values()] == [
        ("failed", 2),
        ("completed", None),
    ]
    assert "must be at least 1" in found["0-trainer.batch_size=0"]["message"]
    # Without validation images nothing is ranked, and that is said.
    assert "not ranked" in ended.out
    assert "rank " not in ended.out
    refused = mnist_train("-m", *TINY, "trainer.batch_size=0,-1", "seed=0,1", "sweep=wholly")
    assert refused.code == 2
    assert "must be at least 1" in refused.err
    assert not (tmp_path / "outputs" / "multirun" / "wholly").exists()


def test_two_sweeps_of_one_name_at_one_time_are_refused(
    mnist_train: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "outputs" / "multirun" / "busy"
    folder.mkdir(parents=True)
    with folder_lock(folder, "sweep"):
        ended = mnist_train("-m", *TINY, "seed=0,1", "sweep=busy")
    assert ended.code == 2
    assert "another mnist-train is at work on this sweep" in ended.err
    assert not list(folder.glob("*/"))


def test_sigterm_ends_a_sweep_without_a_name_and_names_it(data_root: Path, tmp_path: Path) -> None:
    process = start(data_root, tmp_path, *TINY[:-1], "trainer.epochs=100000", "seed=0,1")
    deadline = time.monotonic() + 100
    while (
        not list(tmp_path.glob("outputs/multirun/*/*/checkpoints/last.pt"))
        and time.monotonic() < deadline
    ):
        time.sleep(0.01)
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert time.monotonic() - asked < 5
    assert process.returncode == 143
    (folder,) = tmp_path.glob("outputs/multirun/*")
    assert f"sweep={folder.name}" in said
    assert "0 of 2 jobs are done" in said
    assert results(folder)["0-seed=0"]["status"] == "interrupted"


def test_settings_that_change_nothing_make_no_other_job_unless_they_are_swept(
    mnist_train: Command, tmp_path: Path
) -> None:
    ended = mnist_train(
        "-m",
        *(w for w in TINY if w != "tracker=none"),
        "tracker=none,tensorboard",
        "seed=3,3",
        "sweep=same",
    )
    assert ended.code == 0, ended.err
    assert "2 of 4 jobs have the settings of another: they are run once." in ended.out
    found = results(tmp_path / "outputs" / "multirun" / "same")
    assert len(found) == 2
    assert len({result["weights_sha256"] for result in found.values()}) == 1
    assert len({result["identity"] for result in found.values()}) == 1
