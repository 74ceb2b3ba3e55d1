"""Short runs are the beginnings of real runs, whatever is configured."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from mnist_trainer.compute.device import select_device
from mnist_trainer.config.shipped import group_choices
from mnist_trainer.errors import ConfigError
from mnist_trainer.training.lr_range_test.short_runs import (
    ShortRuns,
    check_groups,
    check_optimizer,
    short_run_seed,
    with_rate,
)
from mnist_trainer.training.twin import reversed_twin
from tests.conftest import Compose

WORDS = ("device=cpu", "data.train_limit=640", "data.test_limit=50", "tracker=none")
SMALL = ("model=fcn", "model.hidden=[16]")


def short_runs(compose: Compose, *words: str) -> ShortRuns:
    config = compose(*words, *WORDS)
    return ShortRuns(config, select_device(config.device))


@pytest.mark.parametrize(
    "words",
    [
        ("model=fcn", "model.dropout=0.4", "transforms=augment", "optimizer=muon"),
        ("model=cnn", "optimizer=adam", "trainer.accumulation=2", "trainer.clip_norm=0.5"),
        ("model=cnn", "trainer.adversary.epsilon=0.1", "trainer.adversary.steps=2"),
        (*SMALL, "trainer.engine=manual"),
    ],
)
def test_losses_are_those_of_a_run(compose: Compose, words: tuple[str, ...]) -> None:
    seed = short_run_seed(0, 3)
    run = compose(*words, "optimizer.lr=0.003", f"seed={seed}", *WORDS)
    expected = reversed_twin(run, select_device(run.device), first=99, last=4)
    short = short_runs(compose, *words, "optimizer.lr=9.0", "scheduler=onecycle")
    assert short.train(0.003, seed, steps=4).losses == tuple(expected.values())


def test_epsilon_has_no_warm_up(compose: Compose) -> None:
    words = ("model=cnn", "trainer.adversary.epsilon=0.1", "trainer.adversary.steps=2")
    warm = short_runs(compose, *words, "trainer.adversary.warmup_epochs=2")
    assert warm.train(0.01, 1, 2) == short_runs(compose, *words).train(0.01, 1, 2)


@pytest.mark.parametrize("optimizer", group_choices("optimizer"))
def test_every_optimizer_takes_the_rate(compose: Compose, optimizer: str) -> None:
    short = short_runs(compose, *SMALL, f"optimizer={optimizer}")
    slow, quick = (short.train(rate, 1, 4).losses for rate in (1e-7, 1e-3))
    assert slow[0] == quick[0]
    assert slow[-1] != quick[-1]
    assert short.train(1e-3, 1, 4).losses == quick


@pytest.mark.parametrize("loss", [each for each in group_choices("loss") if each != "distill"])
def test_every_loss_is_reported(compose: Compose, loss: str) -> None:
    run = short_runs(compose, *SMALL, f"loss={loss}").train(1e-2, 1, 3)
    assert len(run.losses) == 3
    assert not run.diverged


def test_engines_agree(compose: Compose) -> None:
    runs = [
        short_runs(compose, *SMALL, f"trainer.engine={engine}").train(0.05, 1, 5).losses
        for engine in ("autograd", "manual", "numpy")
    ]
    assert runs[1] == pytest.approx(runs[0], rel=1e-4)
    assert runs[2] == pytest.approx(runs[0], rel=1e-4)


def test_no_held_out_image_is_there(compose: Compose) -> None:
    short = short_runs(compose, *SMALL)
    assert len(short.splits.test) == len(short.splits.validation) == 0
    assert len(short.splits.train) == 640


def test_divergence_ends_a_run(compose: Compose) -> None:
    run = short_runs(compose, *SMALL).train(1e20, 1, 9)
    assert run.diverged
    assert len(run.losses) < 9
    assert all(map(math.isfinite, run.losses))


class TwoRates(torch.optim.SGD):
    """Groups with rates of their own."""

    def __init__(self, params: Any, lr: float) -> None:
        first, *others = params
        super().__init__([{"params": [first], "lr": lr / 10}, {"params": others}], lr=lr)


def test_groups_with_rates_of_their_own_are_refused(compose: Compose) -> None:
    optimizer = with_rate(compose().optimizer, 0.1)
    parameters = nn.Linear(2, 2).parameters
    check_groups(optimizer, torch.optim.SGD(parameters(), lr=0.1), 0.1)
    with pytest.raises(ConfigError, match=r"rates 0\.01, 0\.1"):
        check_groups(optimizer, TwoRates(parameters(), lr=0.1), 0.1)


def test_an_optimizer_without_a_rate_is_refused(compose: Compose) -> None:
    optimizer = compose().optimizer
    check_optimizer(replace(optimizer, node={"_target_": "torch.optim.NAdam"}))
    with pytest.raises(ConfigError, match="no option lr"):
        check_optimizer(replace(optimizer, node={"_target_": "torch.nn.Linear"}))
