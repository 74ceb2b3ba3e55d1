"""``mnist-train`` from the shell: one run, many runs, and where they leave what."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

from omegaconf import OmegaConf

from mnist_trainer.runs.checkpoint import load_checkpoint
from tests.integration.conftest import QUICK, Command


def only_run(folder: Path) -> Path:
    (run,) = (path.parent for path in folder.glob("outputs/20*/*/result.json"))
    return run


def test_a_run_says_what_it_does_and_where_it_left_it(mnist_train: Command, tmp_path: Path) -> None:
    ended = mnist_train(*QUICK, "model=fcn", "name=späße")
    assert ended.code == 0, ended.err
    run = only_run(tmp_path)
    assert run.name.split("-")[3] == "späße"
    for said in ("575,050", "epoch 1/1", "95 % interval", str(run.relative_to(tmp_path))):
        assert said in ended.out
    assert "tensorboard" not in ended.out, "there are no curves to see with tracker=none"
    assert ended.err == ""
    assert tmp_path / (tmp_path / "outputs" / "latest").read_text().strip() == run
    assert {path.name for path in run.iterdir()} >= {
        "config.yaml",
        ".hydra",
        "environment.json",
        "metrics.jsonl",
        "checkpoints",
        "result.json",
        "train.log",
    }
    assert "späße" in (run / "train.log").read_text(encoding="utf-8")
    config = OmegaConf.to_container(OmegaConf.load(run / "config.yaml"))
    assert isinstance(config, dict)
    assert config["model"]["hidden"] == [512, 256, 128, 64]
    assert config == load_checkpoint(run / "checkpoints" / "last.pt")["config"]


def test_it_works_where_only_ascii_is_known(mnist_train: Command, tmp_path: Path) -> None:
    ended = mnist_train(*QUICK, "name=数字", LC_ALL="C")
    assert ended.code == 0, ended.err
    assert "数字" in only_run(tmp_path).name


def test_a_folder_named_exactly_is_used_once(mnist_train: Command, tmp_path: Path) -> None:
    place = tmp_path / "a folder, named=oddly" / "run $1"
    words = (*QUICK, f'hydra.run.dir="{place}"')
    assert mnist_train(*words).code == 0
    assert (place / "result.json").exists()
    again = mnist_train(*words)
    assert again.code == 2
    assert "already holds a run" in again.err
    assert not (tmp_path / "outputs").exists()


def test_a_sweep_trains_every_combination_in_a_folder_of_its_own(
    mnist_train: Command, tmp_path: Path
) -> None:
    ended = mnist_train("-m", *QUICK, "model=fcn,linear", "seed=0,1", "sweep=study")
    assert ended.code == 0, ended.err
    jobs = sorted((tmp_path / "outputs" / "multirun" / "study").glob("*/result.json"))
    results = [json.loads(path.read_text()) for path in jobs]
    assert len(results) == 4
    assert sorted(result["seed"] for result in results) == [0, 0, 1, 1]
    names = [
        "0-model=fcn,seed=0",
        "1-model=fcn,seed=1",
        "2-model=linear,seed=0",
        "3-model=linear,seed=1",
    ]
    assert [path.parent.name for path in jobs] == names
    # A job of a sweep is the run that it would be alone: nothing is left over from the job before.
    alone = mnist_train(*QUICK, "model=linear", "seed=1")
    assert alone.code == 0
    assert (
        json.loads((only_run(tmp_path) / "result.json").read_text())["weights_sha256"]
        == results[3]["weights_sha256"]
    )


def test_the_module_is_the_command(mnist_train: Command) -> None:
    by_name = Path(sys.executable).with_name("mnist-train")
    assert (
        mnist_train("--version").out
        == subprocess.run([by_name, "--version"], capture_output=True, text=True).stdout
    )


def test_own_configurations_are_found_beside_the_shipped_ones(
    mnist_train: Command, tmp_path: Path, data_root: Path
) -> None:
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "wide.yaml").write_text(
        "_target_: mnist_trainer.models.TwoLayer\nhidden: 33\nactivation: tanh\ndropout: 0.0\n"
    )
    ended = mnist_train("--config-dir", "mine", "model=wide", *QUICK, f"data.root={data_root}")
    assert ended.code == 0, ended.err
    assert "wide-sgd" in only_run(tmp_path).name


def test_a_network_of_ones_own_needs_trust(
    mnist_train: Command, tmp_path: Path, data_root: Path
) -> None:
    (tmp_path / "nets.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self, num_classes):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(784, num_classes))\n"
    )
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "net.yaml").write_text("_target_: nets.Net\n")
    words = ("--config-dir", "mine", "model=net", *QUICK, f"data.root={data_root}")
    refused = mnist_train(*words, PYTHONPATH=str(tmp_path))
    assert refused.code == 2
    assert "MNIST_TRAINER_TRUST" in refused.err
    ended = mnist_train(*words, PYTHONPATH=str(tmp_path), MNIST_TRAINER_TRUST="nets")
    assert ended.code == 0, ended.err


def test_a_terminal_gets_bars_and_a_panel(data_root: Path, tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "NO_COLOR")}
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mnist_trainer",
            *QUICK,
            "tracker=tensorboard",
            f"data.root={data_root}",
        ],
        cwd=tmp_path,
        stdout=follower,
        stderr=follower,
        env={**environment, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"},
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # How Linux says that the other end is closed.
            break
        if not part:
            break
        shown += part
    assert process.wait(60) == 0
    text = shown.decode()
    for said in ("multiply-adds", "epoch 1", "images/s", "╭", "completed", "tensorboard --logdir"):
        assert said in text
    os.close(leader)
