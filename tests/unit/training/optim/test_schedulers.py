"""Schedules against their formulas, and against PyTorch's own where it has one."""

import math

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR, StepLR

from mnist_trainer.training.optim.schedulers import Constant, Cosine, OneCycle, Step

RATE, PER_EPOCH, TOTAL = 0.4, 10, 50


def optimizer() -> torch.optim.SGD:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)


def rates(scheduler: LRScheduler, steps: int = TOTAL) -> list[float]:
    """The learning rate of each update."""
    seen = []
    for _ in range(steps):
        seen.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.optimizer.step()
        scheduler.step()
    return seen


def test_constant_is_constant() -> None:
    assert rates(Constant(optimizer(), PER_EPOCH, warmup_epochs=0.0)) == [RATE] * TOTAL


def test_warm_up_rises_linearly_in_epochs_and_arrives() -> None:
    seen = rates(Constant(optimizer(), PER_EPOCH, warmup_epochs=0.5))
    assert seen[:5] == pytest.approx([RATE * k / 5 for k in range(1, 6)])
    assert seen[5:] == [RATE] * (TOTAL - 5)


def test_step_equals_pytorchs_per_epoch() -> None:
    seen = rates(Step(optimizer(), PER_EPOCH, every_epochs=2, gamma=0.7, warmup_epochs=0.0))
    assert seen == pytest.approx(rates(StepLR(optimizer(), 20, 0.7)))


def test_cosine_equals_pytorchs() -> None:
    seen = rates(Cosine(optimizer(), PER_EPOCH, TOTAL, final_fraction=0.0, warmup_epochs=0.0))
    assert seen == pytest.approx(rates(CosineAnnealingLR(optimizer(), TOTAL)))


def test_cosine_ends_at_its_final_fraction_after_a_warm_up() -> None:
    scheduler = Cosine(optimizer(), PER_EPOCH, TOTAL, final_fraction=0.1, warmup_epochs=1.0)
    seen = rates(scheduler, TOTAL + 1)
    assert max(seen) == pytest.approx(RATE)
    assert seen.index(max(seen)) in (9, 10)
    assert seen[TOTAL] == pytest.approx(0.1 * RATE)


@pytest.mark.parametrize("shape", ["cosine", "linear"])
def test_one_cycle_equals_pytorchs_in_shape(shape: str) -> None:
    ours = rates(
        OneCycle(
            optimizer(), PER_EPOCH, TOTAL, 1.5, initial_divisor=25, final_divisor=1e4, shape=shape
        )
    )
    theirs = OneCycleLR(
        optimizer(),
        RATE,
        total_steps=TOTAL,
        pct_start=16 / TOTAL,  # PyTorch's peak is one update earlier than the product says.
        anneal_strategy="cos" if shape == "cosine" else "linear",
        cycle_momentum=False,
    )
    expected = []
    for _ in range(TOTAL):
        expected.append(theirs.optimizer.param_groups[0]["lr"])
        theirs.optimizer.step()
        if len(expected) < TOTAL:
            theirs.step()
    assert ours == pytest.approx(expected, rel=1e-6)


def test_one_cycle_takes_a_third_of_the_run_to_rise_unless_told() -> None:
    seen = rates(
        OneCycle(
            optimizer(),
            PER_EPOCH,
            TOTAL,
            None,
            initial_divisor=25,
            final_divisor=1e4,
            shape="cosine",
        )
    )
    assert seen[0] == pytest.approx(RATE / 25)
    assert seen.index(max(seen)) == round(0.3 * TOTAL)
    assert seen[-1] == pytest.approx(RATE / 25e4)
    assert all(math.isfinite(rate) and rate > 0 for rate in seen)
