"""Members that end before the others: they leave, and the others are as if alone still."""

import signal
from pathlib import Path

import pytest

from mnist_trainer.errors import DivergedError, InterruptedRunError
from mnist_trainer.training.stacked.trainer import StackedTrainer
from mnist_trainer.training.tracking.terminal import Terminal
from tests.unit.training.stacked.conftest import Alone, Configs, Stacked
from tests.unit.training.stacked.same_run import assert_same_run, lines

MODEL = ("model=fcn", "model.hidden=[32]", "model.dropout=0.2")
pytestmark = pytest.mark.usefixtures("float64")


def test_a_member_that_diverges_leaves_the_others_as_they_are(
    configs: Configs, alone: Alone, stacked: Stacked, tmp_path: Path
) -> None:
    runs = configs(*MODEL, apart=("seed=0", "optimizer.lr=1.0e+38", "seed=1"))
    ended = stacked(runs)
    error = ended.pop("optimizer.lr=1.0e+38")
    with pytest.raises(DivergedError) as diverged:
        alone("optimizer.lr=1.0e+38", runs.pop("optimizer.lr=1.0e+38"))
    assert isinstance(error, DivergedError)
    assert str(error) == str(diverged.value)
    assert ended == {"seed=0": None, "seed=1": None}
    for name, config in runs.items():
        alone(name, config)
        assert_same_run(tmp_path / "stacked" / name, tmp_path / "alone" / name)


def test_members_stop_early_each_at_its_own_epoch(
    configs: Configs, alone: Alone, stacked: Stacked, tmp_path: Path
) -> None:
    words = ("trainer.patience=1", "trainer.epochs=4", "trainer.monitor=loss", "optimizer=adam")
    runs = configs(*MODEL, *words, apart=("optimizer.lr=0.3", "optimizer.lr=0.0001"))
    assert stacked(runs) == dict.fromkeys(runs)
    epochs = []
    for name, config in runs.items():
        alone(name, config)
        assert_same_run(tmp_path / "stacked" / name, tmp_path / "alone" / name)
        epochs.append(lines(tmp_path / "stacked" / name)[-1]["epoch"])
    assert epochs[0] != epochs[1]


class StopsAt(Terminal):
    """Asks a stack to stop after so many steps."""

    def __init__(self, step: int) -> None:
        self.left = step

    def on_step(self, _: int) -> None:
        self.left -= 1
        if not self.left:
            signal.raise_signal(signal.SIGTERM)


def test_a_stack_that_was_stopped_goes_on_as_one(
    configs: Configs, alone: Alone, stacked: Stacked, tmp_path: Path
) -> None:
    words = ("optimizer=adam", "trainer.ema_decay=0.9", "trainer.log_every=1")
    runs = configs(*MODEL, *words, apart=("seed=0", "seed=1"))
    ended = stacked(runs, StopsAt(5))
    for error in ended.values():
        assert isinstance(error, InterruptedRunError)
        assert "stopped at step 6, in epoch 2" in str(error)
    folder = tmp_path / "stacked"
    again = {name: config.resumed_from(folder / name) for name, config in runs.items()}
    assert stacked(again) == dict.fromkeys(runs)
    for name, config in runs.items():
        alone(name, config)
        assert_same_run(folder / name, tmp_path / "alone" / name)


def test_a_fault_of_the_shared_step_is_one_of_each_run(
    configs: Configs, stacked: Stacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: StackedTrainer) -> None:
        raise MemoryError

    monkeypatch.setattr("mnist_trainer.training.stacked.trainer.StackedStep", fail)
    ended = stacked(configs(*MODEL, apart=("seed=0", "seed=1")))
    assert {type(error).__name__ for error in ended.values()} == {"MachineError"}
