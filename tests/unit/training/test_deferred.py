"""Deferred sums are those of each batch at once."""

import pytest
import torch

from mnist_trainer.training.accumulators import MetricAccumulator
from mnist_trainer.training.deferred import MAX_PENDING, DeferredAccumulator, make_accumulator

CPU = torch.device("cpu")


def add_batches(accumulator: MetricAccumulator, count: int) -> None:
    generator = torch.Generator().manual_seed(4)
    for number in range(count):
        loss = torch.rand((), generator=generator)
        correct = torch.rand(7, generator=generator) < 0.5
        # Several processes give the number alone.
        accumulator.add(loss, correct.sum() if number % 3 == 0 else correct, 7)


def added(accumulator: MetricAccumulator, count: int = 100) -> MetricAccumulator:
    add_batches(accumulator, count)
    return accumulator


@pytest.mark.parametrize("count", [0, 1, MAX_PENDING, MAX_PENDING + 3])
def test_the_same_sums_to_the_last_bit(count: int) -> None:
    deferred = added(DeferredAccumulator(CPU), count)
    assert deferred.read() == added(MetricAccumulator(CPU), count).read()
    assert deferred.read() == deferred.read()


def test_a_saved_state_holds_pending_batches() -> None:
    state = added(DeferredAccumulator(CPU)).state_dict()
    assert state == added(MetricAccumulator(CPU)).state_dict()


def test_merging_adds_pending_batches_of_both() -> None:
    ours, theirs = (added(DeferredAccumulator(CPU), 2) for _ in range(2))
    ours.merge(theirs)
    assert ours.count == 28
    assert ours.read().loss == pytest.approx(theirs.read().loss)


def test_pending_batches_are_dropped_by_a_reset_and_by_a_load() -> None:
    accumulator = added(DeferredAccumulator(CPU), 3)
    accumulator.reset()
    assert accumulator.read().correct == 0
    add_batches(accumulator, 3)
    accumulator.load_state_dict({"loss_sum": 2.0, "correct": 1, "count": 2})
    assert accumulator.read().loss == 1.0


def test_few_batches_are_kept() -> None:
    accumulator = DeferredAccumulator(CPU)
    add_batches(accumulator, 3 * MAX_PENDING + 1)
    assert len(accumulator.pending) == 1


def test_batches_on_an_accelerator_are_summed_there_at_once() -> None:
    assert type(make_accumulator(torch.device("meta"))) is MetricAccumulator
