"""Deferred sums are those of each batch at once."""

import pytest
import torch

from mnist_trainer.training.accumulators import MetricAccumulator
from mnist_trainer.training.deferred import (
    MAX_BATCHES,
    MAX_IMAGES,
    DeferredAccumulator,
    make_accumulator,
)

CPU = torch.device("cpu")


def add_batches(accumulator: MetricAccumulator, count: int) -> None:
    generator = torch.Generator().manual_seed(4)
    for number in range(count):
        loss = torch.rand((), generator=generator)
        size = 7 if number % 3 else 5
        logits = torch.rand(size, 2, generator=generator)
        accumulator.accumulate_batch(loss, logits, torch.ones(size, dtype=torch.int64))
        accumulator.count += size


def added(accumulator: MetricAccumulator, count: int = 100) -> MetricAccumulator:
    add_batches(accumulator, count)
    return accumulator


@pytest.mark.parametrize("count", [0, 1, MAX_BATCHES, MAX_BATCHES + 3])
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
    assert ours.count == 2 * theirs.count
    assert ours.correct == 2 * theirs.correct
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
    add_batches(accumulator, 3 * MAX_BATCHES + 1)
    assert len(accumulator.pending) == 1


def test_few_images_are_kept() -> None:
    accumulator = DeferredAccumulator(CPU)
    for size in (MAX_IMAGES // 2, MAX_IMAGES // 2, MAX_IMAGES + 1):
        labels = torch.zeros(size, dtype=torch.int64)
        accumulator.accumulate_batch(torch.tensor(1.0), labels.unsqueeze(1), labels)
    assert accumulator.pending == []
    assert accumulator.correct == 2 * MAX_IMAGES + 1


def test_batches_on_an_accelerator_are_summed_there_at_once() -> None:
    assert type(make_accumulator(torch.device("meta"))) is MetricAccumulator
