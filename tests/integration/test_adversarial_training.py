"""Training on adversarial examples, as commands: repeatable, resumable, refused where it cannot
be."""

import signal
from pathlib import Path

import pytest
import torch

from mnist_trainer.runs.checkpoint import load_checkpoint
from tests.integration.conftest import Command, Start, wait_for_step

WORDS = (
    "device=cpu",
    "model=cnn",
    "model.dropout=0.3",
    "transforms=augment",
    "data.per_class=30",
    "data.validation_limit=50",
    "data.test_limit=50",
    "trainer.batch_size=20",
    "trainer.epochs=8",
    "trainer.log_every=2",
    "trainer.adversary.epsilon=0.2",
    "trainer.adversary.steps=2",
    "trainer.adversary.warmup_epochs=2",
    "tracker=none",
)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = load_checkpoint(folder / "checkpoints" / "last.pt")["weights"]
    return loaded


@pytest.mark.soak
def test_stopped_and_resumed_equals_uninterrupted_and_is_reproduced(
    mnist_train: Command, start: Start, tmp_path: Path
) -> None:
    whole = mnist_train(*WORDS, "hydra.run.dir=whole")
    assert whole.code == 0, whole.err
    process = start(*WORDS, "hydra.run.dir=stopped")
    wait_for_step(tmp_path / "stopped", 17, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    resumed = mnist_train("resume=stopped")
    assert resumed.code == 0, resumed.err
    ours, theirs = weights(tmp_path / "whole"), weights(tmp_path / "stopped")
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    plain = mnist_train(*WORDS, "trainer.adversary.epsilon=null", "hydra.run.dir=plain")
    assert plain.code == 0, plain.err
    other = weights(tmp_path / "plain")
    assert any(not torch.equal(ours[name], other[name]) for name in ours)
    again = mnist_train("reproduce=whole", on_data=False)
    assert again.code == 0, again.err
    assert "same bits" in again.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("trainer.engine=manual", "model=fcn"), "trainer.adversary.epsilon=null"),
        (("data.per_class=6000",), "data.per_class=6000: class 5 of mnist has 4,969"),
    ],
    ids=["engine", "per_class"],
)
def test_what_cannot_be_is_refused(
    words: tuple[str, ...], said: str, mnist_train: Command, tmp_path: Path
) -> None:
    ended = mnist_train(*(word for word in WORDS if "dropout" not in word), *words)
    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert not list((tmp_path / "outputs").glob("*/*"))
