"""Mistakes on the command line: the right exit code, a short message, and nothing left behind."""

from pathlib import Path

import pytest
import torch

from tests.integration.conftest import QUICK, Command

MISTAKES = [
    (["trainer.epoch=5"], "trainer.epochs"),
    (["+trainer.epoch=5"], "trainer.epochs"),
    (["model=cnnn"], "Did you mean cnn?"),
    (["modle=cnn"], "Did you mean model?"),
    (["model.hiden=[10]"], "channels, kernel_size"),
    (["trainer.epochs=many"], "whole number"),
    (["trainer.epochs=-1"], "at least 1, such as trainer.epochs=5"),
    (["--experimental-rerun", "x.pickle"], "resume="),
    (["trainer.epochs="], "lacks its value"),
    (["cnn"], "key=value"),
    (["--epochs", "5"], "--epochs is not an option"),
    (["--config-dir"], "expected one argument"),
    (["--config-dir", "nowhere"], "no such folder"),
    (["model=fcn,cnn"], "-m"),
    (["model.hidden=[1,2"], "quotes"),
    (["model._target_=os.system"], "not on the list"),
    (["hydra.job_logging.handlers.file.class=os.system"], "may not appear"),
    (["-m", "hydra.run.dir=a,b"], "cannot be swept"),
    (["-m", "seed=0,1", "hydra.sweep.subdir=x"], "names the folders of its jobs itself"),
    (["-m", "optimizer.lr=interval(0.01,0.1)"], "hydra/sweeper=optuna"),
    (["-m", "seed=0,1", "trainer.epoch=5"], "Did you mean trainer.epochs?"),
    (["-m", "seed=0,1", "trainer.batch_size=0,-1"], "at least 1"),
    (["name=.."], "not usable"),
    (["data.validation_size=60000"], "less than the 60,000"),
    # These need torch to be found out.
    (["model.channels=[1,1,1,1]"], "block"),
    (["device=cpu", "device.precision=fp16"], "bf16"),
    (["optimizer.momentum=0.0", "optimizer.nesterov=true"], "refuses its options"),
]


@pytest.mark.parametrize(
    ("words", "said"),
    MISTAKES,
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_is_answered_shortly_and_leaves_nothing(
    words: list[str], said: str, mnist_train: Command, tmp_path: Path
) -> None:
    ended = mnist_train(*words)
    assert ended.code == 2, ended.err
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert len(ended.err.splitlines()) <= 10
    assert not list(tmp_path.rglob("result.json"))
    assert not [path for path in (tmp_path / "outputs").glob("2*/*") if path.is_dir()]
    assert not (tmp_path / "outputs" / "latest").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_that_is_not_here_is_a_fault_of_the_machine(
    mnist_train: Command, tmp_path: Path
) -> None:
    ended = mnist_train("model=cnn", "device=cuda")
    assert ended.code == 6
    assert "This machine has: cpu" in ended.err
    assert len(ended.err.splitlines()) <= 3
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    "words", [["--help"], ["--cfg", "job"], ["trainer.epoch=5"], ["--epochs", "5"]], ids=" ".join
)
def test_answers_about_the_configuration_do_not_import_torch(
    words: list[str], mnist_train: Command
) -> None:
    ended = mnist_train(*words, PYTHONPROFILEIMPORTTIME="1")
    imported = {
        line.rpartition("|")[2].strip()
        for line in ended.err.splitlines()
        if line.startswith("import time:")
    }
    assert "mnist_trainer.cli.train" in imported
    assert not imported & {"torch", "torchvision", "tensorboard", "numpy", "rich"}
    # Nor the launchers and sweepers that are installed beside Hydra, which would take as long as
    # all the rest.
    assert not {
        name
        for name in imported
        if name.partition(".")[0] in ("hydra_plugins", "joblib", "submitit", "ray", "optuna")
    }


def test_the_default_run_does_not_import_torchvision(mnist_train: Command) -> None:
    ended = mnist_train(*QUICK, PYTHONPROFILEIMPORTTIME="1")
    imported = {
        line.rpartition("|")[2].strip()
        for line in ended.err.splitlines()
        if line.startswith("import time:")
    }
    assert "torch" in imported
    assert not imported & {"torchvision", "matplotlib", "pandas", "sklearn"}


def test_help_fits_on_a_screen_and_names_every_group(mnist_train: Command) -> None:
    ended = mnist_train("--help")
    assert ended.code == 0
    assert len(ended.out.splitlines()) <= 40
    for group in (
        "data",
        "model",
        "loss",
        "optimizer",
        "scheduler",
        "transforms",
        "device",
        "tracker",
        "experiment",
        "debug",
    ):
        assert f"\n  {group}" in ended.out


def test_a_traceback_is_shown_to_who_asks_for_it(mnist_train: Command) -> None:
    assert "Traceback" in mnist_train("trainer.epochs=0", MNIST_TRAINER_TRACEBACK="1").err


def test_a_run_that_diverges_ends_with_its_own_code(mnist_train: Command, tmp_path: Path) -> None:
    ended = mnist_train(*QUICK, "optimizer.lr=1e30")
    assert ended.code == 5
    assert "learning rate 1e+30" in ended.err


def test_an_output_place_that_is_a_file_is_told_before_anything_else(
    mnist_train: Command, tmp_path: Path
) -> None:
    (tmp_path / "outputs").write_text("")
    ended = mnist_train(*QUICK)
    assert ended.code == 6
    assert "hydra.run.dir" in ended.err
