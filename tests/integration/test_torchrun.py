"""Several processes for one run: the same result as one, one folder, one voice, and an end in good
order."""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest
import torch

from mnist_trainer.runs.checkpoint import load_checkpoint
from tests.integration.conftest import QUICK, Command
from tests.integration.torchrun import start, wait_for

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="finds the processes in /proc"
)

# 637 images: updates of 32 + 32 images, the last one of 31 + 30.
SMALL = (
    *(word for word in QUICK if "train_limit" not in word),
    "data.train_limit=637",
    "data.test_limit=201",
    "seed=3",
)
LONG = ("trainer.epochs=5000", "trainer.checkpoint_every=7")


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = load_checkpoint(folder / "checkpoints" / "last.pt")["weights"]
    return loaded


def test_two_processes_then_one_then_two_equal_one(
    mnist_train: Command, tmp_path: Path, data_root: Path
) -> None:
    """And leave one folder, with each line written once."""
    code, out, err = start((*SMALL, "tracker=tensorboard"), tmp_path, data_root).end(120)
    assert code == 0, err
    (folder,) = [
        path
        for path in (tmp_path / "outputs").glob("*/*")
        if path.is_dir() and "latest" not in str(path)
    ]
    assert out.count("run folder:") == out.count("epoch 1/1") == 1
    assert "2 processes" in out
    assert json.loads((folder / "environment.json").read_text())["world"] == {
        "processes": 2,
        "processes_here": 2,
        "backend": "gloo",
    }
    result = json.loads((folder / "result.json").read_text())
    assert (result["processes"], result["test"]["images"], result["validation"]["images"]) == (
        2,
        201,
        200,
    )
    assert len(list(folder.glob("events.out.tfevents.*"))) == 1

    resumed = mnist_train(f"resume={folder}", "trainer.epochs=2", on_data=False)
    assert resumed.code == 0, resumed.err
    code, _, err = start((f"resume={folder}", "trainer.epochs=3"), tmp_path, data_root).end(120)
    assert code == 0, err
    alone = mnist_train(*SMALL, "trainer.epochs=3", "hydra.run.dir=alone", "tracker=none")
    assert alone.code == 0, alone.err

    theirs, ours = weights(tmp_path / "alone"), weights(folder)
    assert max(float((theirs[name] - ours[name]).abs().max()) for name in ours) < 1e-5
    written, expected = (
        [line for line in lines(each / "metrics.jsonl") if line["kind"] == "epoch"]
        for each in (folder, tmp_path / "alone")
    )
    assert [(line["split"], line["epoch"], line["step"]) for line in written] == [
        (line["split"], line["epoch"], line["step"]) for line in expected
    ]
    for line, reference in zip(written, expected, strict=True):
        assert line["loss"] == pytest.approx(reference["loss"], abs=1e-5)
        assert line["accuracy"] == pytest.approx(reference["accuracy"])


def test_a_killed_process_ends_the_others_and_the_run_can_go_on(
    mnist_train: Command, tmp_path: Path, data_root: Path
) -> None:
    """R22."""
    run = start((*SMALL, *LONG, "hydra.run.dir=run"), tmp_path, data_root)
    wait_for(tmp_path / "run" / "checkpoints" / "last.pt")
    killed = time.monotonic()
    os.kill(run.ranks()[1], signal.SIGKILL)
    code, _, err = run.end(30)
    assert time.monotonic() - killed < 30
    assert code != 0
    assert "Another of the 2 processes of this run has ended" in err
    assert "resume=" in err
    resumed = mnist_train("resume=run", "trainer.epochs=1", on_data=False)
    assert resumed.code == 0, resumed.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("trainer.epoch=5",), "Did you mean trainer.epochs?"),
        (("model.channels=[1,1,1,1]",), "block"),
    ],
    ids=["before torch", "after"],
)
def test_a_mistake_is_said_once_though_the_process_that_says_it_comes_last(
    words: tuple[str, ...], said: str, tmp_path: Path, data_root: Path
) -> None:
    late = tmp_path / "late"
    late.mkdir()
    (late / "sitecustomize.py").write_text(
        "import os, time\ntime.sleep(1.5 * (os.environ.get('RANK') == '0'))\n"
    )
    code, _, err = start(
        (*words, "device=cpu"), tmp_path, data_root, variables={"PYTHONPATH": str(late)}
    ).end(60)
    assert code != 0
    assert err.count("mnist-train: ") == 1
    assert said in err
    assert re.search(r"rank\s*: 0 ", err), "the process that had nothing to say ended first"
    assert not list(tmp_path.glob("outputs/*/*"))


def test_a_mistake_leaves_no_folder_though_processes_make_and_remove_it_late(
    tmp_path: Path, data_root: Path
) -> None:
    """Hydra makes the folder of a job in each process; the main one removes it, while the other one
    ends."""
    late = tmp_path / "late"
    late.mkdir()
    (late / "sitecustomize.py").write_text(
        "import os, pathlib, time\n"
        "make = pathlib.Path.mkdir\n"
        "def slowly(path, *arguments, **options):\n"
        "    end = time.monotonic() + 1\n"
        "    while 'outputs' in path.parts and path.exists() and time.monotonic() < end:\n"
        "        time.sleep(0.002)\n"
        "    make(path, *arguments, **options)\n"
        "remove = pathlib.Path.unlink\n"
        "def late(path, *arguments, **options):\n"
        "    time.sleep(1.5 * (path.name == '.lock'))\n"
        "    remove(path, *arguments, **options)\n"
        "if os.environ.get('RANK') == '1':\n"
        "    pathlib.Path.mkdir = slowly\n"
        "else:\n"
        "    pathlib.Path.unlink = late\n"
    )
    words = ("model.channels=[1,1,1,1]", "device=cpu")
    variables = {"PYTHONPATH": str(late)}
    code, _, err = start(words, tmp_path, data_root, variables=variables).end(60)
    assert code != 0
    assert err.count("mnist-train: ") == 1
    assert not list(tmp_path.glob("outputs/*/*"))


@pytest.mark.soak
def test_a_sweep_is_refused(tmp_path: Path, data_root: Path) -> None:
    code, _, err = start(("-m", "seed=0,1"), tmp_path, data_root).end(60)
    assert code != 0
    assert err.count("hydra/launcher=joblib") == 1


@pytest.mark.soak
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_stop_that_reaches_one_process_stops_all_at_the_same_step(
    rank: int, number: signal.Signals, mnist_train: Command, tmp_path: Path, data_root: Path
) -> None:
    """Dropout and augmentation go on as if it had never stopped: two processes draw what they would
    have drawn."""
    words = (
        *SMALL,
        "model.dropout=0.3",
        "transforms=augment",
        "trainer.ema_decay=0.9",
        "trainer.clip_norm=1",
    )
    run = start((*words, *LONG, "hydra.run.dir=run"), tmp_path, data_root)
    wait_for(tmp_path / "run" / "checkpoints" / "last.pt")
    os.kill(run.ranks()[rank], number)
    code, _, err = run.end(30)
    assert code != 0
    assert err.count("stopped at step") == 1
    assert "Go on with: torchrun --nproc-per-node 2 -m mnist_trainer resume=run" in err
    stopped = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.pt")["progress"]
    epochs = stopped["epoch"] + 2
    code, _, err = start(("resume=run", f"trainer.epochs={epochs}"), tmp_path, data_root).end(120)
    assert code == 0, err
    code, _, err = start(
        (*words, f"trainer.epochs={epochs}", "hydra.run.dir=whole"), tmp_path, data_root
    ).end(120)
    assert code == 0, err
    results = [
        json.loads((tmp_path / name / "result.json").read_text()) for name in ("run", "whole")
    ]
    assert results[0]["last_weights_sha256"] == results[1]["last_weights_sha256"]


@pytest.mark.soak
@pytest.mark.parametrize("recipe", ["docs_fcn", "docs_cnn"])
def test_a_whole_epoch_of_two_processes_equals_one(
    recipe: str, mnist_train: Command, tmp_path: Path, data_root: Path
) -> None:
    """All 60,000 images, updates of 64: once against one process that adds up the same halves, once
    against whole batches.

    Against whole batches the losses agree; the weights agree in as many digits as a change of the
    order of additions leaves after 938 steps.
    """
    words = (f"experiment={recipe}", "device=cpu", "trainer.epochs=1", "tracker=none")
    code, _, err = start((*words, "hydra.run.dir=two"), tmp_path, data_root).end(300)
    assert code == 0, err
    for name, extra in (
        ("halves", ("trainer.batch_size=32", "trainer.accumulation=2")),
        ("whole", ()),
    ):
        assert mnist_train(*words, *extra, f"hydra.run.dir={name}").code == 0
    losses = {
        name: json.loads((tmp_path / name / "result.json").read_text())["test"]
        for name in ("two", "halves", "whole")
    }
    two, halves = weights(tmp_path / "two"), weights(tmp_path / "halves")
    assert max(float((two[name] - halves[name]).abs().max()) for name in two) < 1e-6
    assert losses["two"]["loss"] == pytest.approx(losses["halves"]["loss"], abs=1e-7)
    assert losses["two"]["loss"] == pytest.approx(losses["whole"]["loss"], abs=1e-4)


@pytest.mark.soak
def test_torchruns_own_restart_goes_on_where_the_run_was(tmp_path: Path, data_root: Path) -> None:
    words = (
        *SMALL,
        "trainer.epochs=30",
        "trainer.checkpoint_every=5",
        "hydra.run.dir=run",
        "resume=auto",
    )
    run = start(words, tmp_path, data_root, ("--max-restarts", "1"))
    wait_for(tmp_path / "run" / "checkpoints" / "last.pt")
    os.kill(run.ranks()[0], signal.SIGKILL)
    code, _, err = run.end(120)
    assert code == 0, err
    assert json.loads((tmp_path / "run" / "result.json").read_text())["resumed_from"]
