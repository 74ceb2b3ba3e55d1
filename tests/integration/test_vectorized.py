"""``hydra/launcher=vectorized``: a real sweep whose jobs train as one model."""

import json
from pathlib import Path

import pytest

from tests.integration.conftest import QUICK, Command, Start, wait_for_step
from tests.integration.test_sweeps import results

VECTORIZED = ("-m", "hydra/launcher=vectorized", "sweep=two", *QUICK)


def test_a_stack_leaves_ordinary_runs(mnist_train: Command, tmp_path: Path) -> None:
    words = ("model=two_layer", "optimizer.lr=0.01,0.02", "optimizer.momentum=0,0.5")
    ended = mnist_train(*VECTORIZED, *words, "+hydra.sweeper.max_batch_size=3")
    assert ended.code == 0, ended.err
    assert "2 jobs as one stack: #0, #2" in ended.out
    assert ended.out.count("trains alone: no job that is left differs") == 1
    sweep = tmp_path / "outputs" / "multirun" / "two"
    assert [result["status"] for result in results(sweep).values()] == ["completed"] * 4
    folder = sweep / "2-optimizer.lr=0.02,optimizer.momentum=0"
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["world"]["stacked_runs"] == 2
    assert "two_layer-sgd: 79,510 parameters" in (folder / "train.log").read_text()
    again = mnist_train(*VECTORIZED, *words)
    assert "already finished: 4 of 4 jobs" in again.out


def test_what_cannot_be_stacked_is_refused_and_leaves_nothing(
    mnist_train: Command, tmp_path: Path
) -> None:
    for words, named in (
        (("model=convnet", "model.batch_norm=false,true"), "model.batch_norm=true"),
        (("hydra.launcher.stack_size=1", "seed=0,1"), "hydra.launcher.stack_size=1"),
    ):
        ended = mnist_train(*VECTORIZED, *words)
        assert ended.code == 2
        assert named in ended.err
        assert not (tmp_path / "outputs" / "multirun" / "two").exists()


@pytest.mark.soak
def test_later_commands_take_the_runs_of_a_stack(mnist_train: Command, tmp_path: Path) -> None:
    words = (*QUICK[:-1], "model=fcn", "optimizer.lr=0.01")
    ended = mnist_train("-m", "hydra/launcher=vectorized", "sweep=two", *words, "seed=0,1")
    assert ended.code == 0, ended.err
    sweep = tmp_path / "outputs" / "multirun" / "two"
    assert mnist_train(*words, "seed=1", "hydra.run.dir=alone").code == 0
    alone = json.loads((tmp_path / "alone" / "result.json").read_text())
    for split in ("validation", "test"):
        loss = results(sweep)["1-seed=1"][split]["loss"]
        assert loss == pytest.approx(alone[split]["loss"], abs=1e-5)
    for module, path in (("eval", sweep / "1-seed=1"), ("report", sweep)):
        later = mnist_train(str(path), module=f"mnist_trainer.cli.{module}", on_data=False)
        assert later.code == 0, later.err


@pytest.mark.soak
def test_a_signal_saves_all_runs_of_a_stack(
    start: Start, mnist_train: Command, tmp_path: Path
) -> None:
    words = (*VECTORIZED, "seed=0,1", "model=two_layer", "trainer.epochs=9", "trainer.log_every=1")
    process = start(*words)
    sweep = tmp_path / "outputs" / "multirun" / "two"
    wait_for_step(sweep / "1-seed=1", 3, process)
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "2 jobs of a stack stopped" in said
    assert [r["status"] for r in results(sweep).values()] == ["interrupted"] * 2
    again = mnist_train(*words)
    assert again.code == 0, again.err
    assert "#1 seed=1: goes on from its checkpoint" in again.out
    assert [r["status"] for r in results(sweep).values()] == ["completed"] * 2
