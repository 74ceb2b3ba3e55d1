"""Faults of disk, process and file, made for real: what a run leaves is whole, and what it says is
of use."""

import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mnist_trainer.runs.checkpoint import Checkpoints, load_checkpoint
from tests.integration.conftest import Command, Ended

TINY = (
    "device=cpu",
    "model=linear",
    "data.train_limit=256",
    "data.validation_limit=100",
    "data.test_limit=100",
    "tracker=none",
    "trainer.batch_size=16",
    "trainer.log_every=1",
)
root_only = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="mounting takes root"
)


def step_of(checkpoints: Path) -> int:
    return int(load_checkpoint(checkpoints / "last.pt")["progress"]["step"])


def is_short(ended: Ended) -> bool:
    told = [line for line in ended.err.splitlines() if not line.startswith("WARNING")]
    return "Traceback" not in ended.err and "Logging error" not in ended.err and len(told) <= 10


@contextlib.contextmanager
def mounted(place: Path, *options: str) -> Iterator[Path]:
    """A small file system of its own; the test is skipped where the kernel allows none."""
    place.mkdir(exist_ok=True)
    if subprocess.run(
        ["mount", "-t", "tmpfs", *options, "tmpfs", str(place)], capture_output=True
    ).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def kill_and_resume(kills: int, data_root: Path, tmp_path: Path, mnist_train: Command) -> None:
    draws = random.Random(0)  # noqa: S311
    folder = tmp_path / "run"
    words = [
        *TINY,
        "hydra.run.dir=run",
        "resume=auto",
        "trainer.epochs=20000",
        "trainer.checkpoint_every=1",
    ]
    command = [sys.executable, "-m", "mnist_trainer", *words, f"data.root={data_root}"]
    step, stray = 0, 0
    for _ in range(kills):
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        last = folder / "checkpoints" / "last.pt"
        before = last.stat().st_mtime_ns if last.exists() else 0
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (
            last.exists() and last.stat().st_mtime_ns > before
        ):
            time.sleep(0.002)
        time.sleep(draws.uniform(0, 0.3))
        process.kill()
        assert process.wait() == -9
        now = step_of(folder / "checkpoints")
        assert now >= step
        step = now
        temporaries = list(folder.rglob("*.tmp"))
        assert len(temporaries) <= 1, "each start sweeps what the kill before it has left"
        stray += len(temporaries)
    epochs = step // 16 + 1
    ended = mnist_train("resume=run", f"trainer.epochs={epochs}")
    assert ended.code == 0, ended.err
    assert not list(folder.rglob("*.tmp"))
    assert json.loads((folder / "result.json").read_text())["steps"] == 16 * epochs


def test_killed_at_any_instant_the_last_checkpoint_is_whole(
    data_root: Path, tmp_path: Path, mnist_train: Command
) -> None:
    """R1."""
    kill_and_resume(4, data_root, tmp_path, mnist_train)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_killed_a_hundred_times(data_root: Path, tmp_path: Path, mnist_train: Command) -> None:
    """R1."""
    kill_and_resume(100, data_root, tmp_path, mnist_train)


@pytest.fixture(scope="module")
def trained(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs, with a best checkpoint and one before the last."""
    folder = tmp_path_factory.mktemp("trained")
    command = [
        sys.executable,
        "-m",
        "mnist_trainer",
        *TINY,
        "trainer.epochs=2",
        f"data.root={data_root}",
        "hydra.run.dir=run",
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "run"


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def flip_a_bit(content: bytes) -> bytes:
    return (
        content[: len(content) // 2]
        + bytes([content[len(content) // 2] ^ 1])
        + content[len(content) // 2 + 1 :]
    )


@pytest.mark.parametrize("how", ["0", "0.01", "0.5", "0.99", "bit"])
def test_a_damaged_last_checkpoint_is_named_and_the_one_before_taken(
    how: str, run: Path, mnist_train: Command
) -> None:
    """R6, R7."""
    last = run / "checkpoints" / "last.pt"
    content = last.read_bytes()
    damaged = flip_a_bit(content) if how == "bit" else content[: int(float(how) * len(content))]
    last.write_bytes(damaged)
    ended = mnist_train("resume=run", "trainer.epochs=3")
    assert ended.code == 0, ended.err
    assert "last.pt: damaged" in ended.err
    assert "It is kept as last.pt.corrupt" in ended.err
    assert "Going on from" in ended.err
    assert "previous.pt, at step" in ended.err
    assert (run / "checkpoints" / "last.pt.corrupt").read_bytes() == damaged
    assert json.loads((run / "result.json").read_text())["epochs"] == 3


def test_with_no_whole_checkpoint_left_it_ends(run: Path, mnist_train: Command) -> None:
    """R6."""
    for name in ("last.pt", "previous.pt", "best.pt"):
        (run / "checkpoints" / name).write_bytes(b"")
    ended = mnist_train("resume=run", "trainer.epochs=3")
    assert ended.code == 4, ended.err
    assert "No other checkpoint of this run is whole" in ended.err
    assert len(list((run / "checkpoints").glob("*.corrupt"))) == 3
    assert is_short(ended)


@pytest.mark.parametrize("forced", ["0", "1"])
def test_code_in_a_checkpoint_does_not_run(
    forced: str, run: Path, mnist_train: Command, tmp_path: Path
) -> None:
    """R8."""

    class Touch:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "touched",)

    for name in ("last.pt", "previous.pt", "best.pt"):
        path = run / "checkpoints" / name
        torch.save({**torch.load(path, weights_only=True), "scaler": Touch()}, path)
    (run / "checkpoints" / "manifest.json").unlink()
    ended = mnist_train("resume=run", "trainer.epochs=3", TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=forced)
    assert ended.code == 4, ended.err
    assert not (tmp_path / "touched").exists()
    assert is_short(ended)


HOSTILE_WORDS = [
    "model._target_=os.system",
    "hydra.job_logging.handlers.file.class=os.system",
    "hydra.searchpath=[pkg://evil]",
    "+hydra.job.env_set.MNIST_TRAINER_TRUST=os",
]


@pytest.mark.parametrize("word", HOSTILE_WORDS)
def test_a_hostile_setting_in_a_run_folder_does_not_run(
    word: str, run: Path, mnist_train: Command, tmp_path: Path
) -> None:
    """R8, R20: the folder of a run may come from someone else."""
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "__init__.py").write_text(f"open({str(tmp_path / 'touched')!r}, 'w')\n")
    overrides = run / ".hydra" / "overrides.yaml"
    overrides.write_text(overrides.read_text() + f"- '{word}'\n")
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    ended = mnist_train("resume=run", "trainer.epochs=3", PYTHONPATH=path)
    assert ended.code == 2, ended.err
    assert not (tmp_path / "touched").exists()
    assert is_short(ended)


def test_a_hostile_config_in_a_run_folder_is_only_compared(run: Path, mnist_train: Command) -> None:
    """R8."""
    config = run / "config.yaml"
    config.write_text(
        re.sub(r"_target_: mnist_trainer.models.\w+", "_target_: os.system", config.read_text())
    )
    ended = mnist_train("resume=run", "trainer.epochs=3")
    assert ended.code == 4, ended.err
    assert "os.system ->" in ended.err


@root_only
def test_a_full_disk_during_a_checkpoint_leaves_the_one_before(
    mnist_train: Command, tmp_path: Path
) -> None:
    """R12: FCN with Adam saves 7 MB; there is room for some, and not for all."""
    with mounted(tmp_path / "small", "-o", "size=12m") as place:
        words = [word for word in TINY if not word.startswith(("model", "trainer.batch"))]
        ended = mnist_train(
            *words, "model=fcn", "optimizer=adam", "trainer.epochs=3", f"hydra.run.dir={place}/run"
        )
        assert ended.code == 6, ended.err
        assert re.search(
            r"could not be written: No space left on device\. It needs [\d,]+ bytes\. [\d,]+ bytes"
            r" are free",
            ended.err,
        )
        assert "Go on with: mnist-train resume=" in ended.err
        assert load_checkpoint(place / "run" / "checkpoints" / "last.pt")["progress"]["epoch"] == 1
        assert not list(place.rglob("*.tmp"))
        assert is_short(ended)


@root_only
@pytest.mark.parametrize("tracker", ["none", "tensorboard"])
def test_a_full_disk_during_a_line_of_the_log(
    tracker: str, mnist_train: Command, tmp_path: Path
) -> None:
    """R12: a process beside it takes what is left once the run has begun."""
    filler = (
        "import os, sys, threading, time, pathlib\n"
        "place = pathlib.Path(sys.argv.pop(1))\n"
        "def fill():\n"
        "    while not (place / 'run' / 'checkpoints' / 'last.pt').exists(): time.sleep(0.01)\n"
        "    file = open(place / 'filler', 'wb', buffering=0)\n"
        "    for size in (65536, 1024, 1):\n"
        "        try:\n"
        "            while True: file.write(bytes(size))\n"
        "        except OSError: pass\n"
        "threading.Thread(target=fill, daemon=True).start()\n"
        "from mnist_trainer.cli.train import main\n"
        "main()\n"
    )
    (tmp_path / "filled.py").write_text(filler)
    with mounted(tmp_path / "small", "-o", "size=3m") as place:
        words = [word for word in TINY if not word.startswith("tracker")]
        ended = mnist_train(
            str(place),
            *words,
            f"tracker={tracker}",
            "trainer.epochs=3000",
            f"hydra.run.dir={place}/run",
            module="filled",
        )
        assert ended.code == 6, ended.err
        assert "No space left on device" in ended.err
        load_checkpoint(Checkpoints(place / "run" / "checkpoints").last)
        assert is_short(ended), ended.err


@root_only
def test_a_place_that_is_read_only_is_told_before_the_data_is_read(
    mnist_train: Command, tmp_path: Path
) -> None:
    """R13."""
    with mounted(tmp_path / "readonly", "-o", "ro,size=1m") as place:
        for word in (f"hydra.run.dir={place}/run", f"hydra.run.dir={place}"):
            ended = mnist_train(*TINY, word, f"data.root={tmp_path}/unread", on_data=False)
            assert ended.code == 6, ended.err
            assert "hydra.run.dir=" in ended.err
            assert is_short(ended)
    assert not (tmp_path / "unread").exists()


def test_a_file_where_a_folder_should_be_is_told_before_the_data_is_read(
    mnist_train: Command, tmp_path: Path
) -> None:
    """R13."""
    (tmp_path / "file").write_text("")
    ended = mnist_train(
        *TINY, "hydra.run.dir=file/run", f"data.root={tmp_path}/unread", on_data=False
    )
    assert ended.code == 6, ended.err
    assert is_short(ended)
    assert not (tmp_path / "unread").exists()


@pytest.mark.parametrize(
    "words",
    [["trainer.eval_batch_size=1000"], ["model=fcn", "model.hidden=[8,1000000,1000000]"]],
    ids=["batch", "model"],
)
def test_too_little_memory_is_told(words: list[str], mnist_train: Command, tmp_path: Path) -> None:
    """Of PyTorch's own allocator: a model of 4 TB, or an evaluation that finds none."""
    (tmp_path / "poor.py").write_text(
        "import torch\nimport mnist_trainer.training.evaluation as evaluation\n"
        "evaluation.evaluate = lambda *_: torch.empty(10**15)\n"
        "from mnist_trainer.cli.train import main\nmain()\n"
    )
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    model = (
        [word for word in TINY if not word.startswith("model")] if "model=fcn" in words else [*TINY]
    )
    ended = mnist_train(
        *model, *words, module="mnist_trainer" if "model=fcn" in words else "poor", PYTHONPATH=path
    )
    assert ended.code == 6, ended.err
    assert "trainer.batch_size" in ended.err
    assert is_short(ended)
