"""R11: numbers that are not finite stop a run before they reach a checkpoint."""

import json
import os
from pathlib import Path

import pytest
import torch

from mnist_trainer.runs.checkpoint import load_checkpoint
from tests.integration.conftest import Command
from tests.integration.test_faults import TINY, is_short

LOSSES = """
import torch
from torch import nn

class Bad(torch.autograd.Function):
    @staticmethod
    def forward(ctx, loss): return loss.clone()
    @staticmethod
    def backward(ctx, gradient): return gradient * torch.inf

class Late(nn.CrossEntropyLoss):
    '''An ordinary loss for 20 updates, which is more than one epoch.'''
    calls = 0
    def forward(self, logits, labels):
        loss = super().forward(logits, labels)
        if torch.is_grad_enabled():
            Late.calls += 1
            if Late.calls > 20:
                return self.spoil(loss)
        return loss

class NanLoss(Late):
    def spoil(self, loss): return loss * torch.nan

class InfiniteGradient(Late):
    def spoil(self, loss): return Bad.apply(loss)

class BadScore(nn.CrossEntropyLoss):
    def forward(self, logits, labels):
        loss = super().forward(logits, labels)
        return loss if torch.is_grad_enabled() else loss * torch.inf
"""


@pytest.mark.parametrize(
    ("loss", "step"), [("NanLoss", 21), ("InfiniteGradient", 21), ("BadScore", 16)]
)
def test_it_stops_before_the_update(
    loss: str, step: int, mnist_train: Command, tmp_path: Path
) -> None:
    (tmp_path / "losses.py").write_text(LOSSES)
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    (tmp_path / "mine" / "loss").mkdir(parents=True)
    (tmp_path / "mine" / "loss" / "bad.yaml").write_text(f"_target_: losses.{loss}\n")
    ended = mnist_train(
        *(
            "--config-dir",
            "mine",
            *TINY,
            "loss=bad",
            "trainer.epochs=3",
            "trainer.checkpoint_every=1",
            "hydra.run.dir=run",
        ),
        f"data.root={tmp_path / 'data'}",
        PYTHONPATH=path,
        MNIST_TRAINER_TRUST="losses",
    )
    assert ended.code == 5, ended.err
    assert f"step {step}" in ended.err
    assert "learning rate 0.05" in ended.err
    assert is_short(ended)
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["status"], result["exit_code"]) == ("diverged", 5)
    assert f"step {step}" in result["message"]
    folder = tmp_path / "run" / "checkpoints"
    last = load_checkpoint(folder / "last.pt")
    assert last["progress"]["step"] == step - 1
    assert all(torch.isfinite(tensor).all() for tensor in last["weights"].values())
    if loss == "BadScore":
        assert not (folder / "best.pt").exists()
    else:
        assert load_checkpoint(folder / "best.pt")["progress"]["step"] == 16
