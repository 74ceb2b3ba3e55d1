"""Sums of loss and right answers, counted at once or when somebody asks."""

import pytest
import torch
from torch import Tensor

from mnist_trainer.runs.metrics import Metrics
from mnist_trainer.training.accumulators import (
    MOST_NOTED,
    BatchPredictions,
    DeferredAccumulator,
    MetricAccumulator,
    make_accumulator,
)

CPU = torch.device("cpu")
BOTH = pytest.mark.parametrize("kind", [MetricAccumulator, DeferredAccumulator])


def test_correct_is_the_largest_logit_at_the_label() -> None:
    logits = torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6]])
    answers = BatchPredictions.of(logits, torch.tensor([1, 0, 0]))
    logits.zero_()  # As a model does that keeps its output from call to call.
    assert answers.count() == 2


@BOTH
def test_a_meter_weighs_batches_by_their_size(kind: type[MetricAccumulator]) -> None:
    meter = kind(CPU)
    meter.add(torch.tensor(1.0), torch.tensor(3), 4)
    meter.add(torch.tensor(4.0), torch.tensor(1), 1)
    assert meter.read() == Metrics(loss=8 / 5, correct=4, count=5)
    assert meter.read().accuracy == 0.8


@BOTH
def test_merging_meters_is_adding_what_they_saw(kind: type[MetricAccumulator]) -> None:
    first, second = kind(CPU), kind(CPU)
    first.add(torch.tensor(1.0), torch.tensor(1), 2)
    second.add(torch.tensor(3.0), torch.tensor(2), 2)
    first.merge(second)
    assert first.read() == Metrics(2.0, 3, 4)
    second.reset()
    assert second.read() == Metrics(0.0, 0, 0)


@BOTH
def test_a_meter_goes_on_from_its_state(kind: type[MetricAccumulator]) -> None:
    meter, copy = kind(CPU), kind(CPU)
    meter.add(torch.tensor(0.1), torch.tensor(1), 3)
    copy.load_state_dict(meter.state_dict())
    for each in (meter, copy):
        each.add(torch.tensor(0.7), torch.tensor(2), 5)
    assert meter.read() == copy.read()


def meters() -> tuple[DeferredAccumulator, MetricAccumulator]:
    """One that only notes what it is given, and one that counts at once, as on devices with a
    queue."""
    return DeferredAccumulator(CPU), MetricAccumulator(CPU)


def test_the_cpu_notes_and_other_devices_count() -> None:
    assert type(make_accumulator(CPU)) is DeferredAccumulator
    assert type(make_accumulator(torch.device("meta"))) is MetricAccumulator


def random_batches(number: int) -> list[tuple[Tensor, BatchPredictions, int]]:
    """Losses of all sizes, so that the order in which they are added shows in the sum."""
    generator = torch.Generator().manual_seed(4)
    sizes = [7 if index < number - 1 else 3 for index in range(number)]
    return [
        (
            torch.rand((), generator=generator)
            * 10.0 ** torch.randint(-9, 3, (), generator=generator),
            BatchPredictions.of(
                torch.randn(size, 10, generator=generator),
                torch.randint(0, 10, (size,), generator=generator),
            ),
            size,
        )
        for size in sizes
    ]


@pytest.mark.parametrize("read_after", [(), (0,), (2, 3, 50, 119)])
def test_what_is_counted_later_is_the_same_to_the_last_bit(read_after: tuple[int, ...]) -> None:
    notes, counts = meters()
    for index, (loss, answers, size) in enumerate(random_batches(120)):
        for meter in (notes, counts):
            meter.add(loss, answers, size)
        if index in read_after:
            notes.state_dict()
    assert notes.read() == counts.read()
    expected = sum(float(loss) * size for loss, _, size in random_batches(120)) / 836
    assert notes.read().loss == pytest.approx(expected, rel=1e-12)
    assert (
        0
        < notes.read().correct
        == sum(int(answers.count()) for _, answers, _ in random_batches(120))
    )


def test_what_is_held_in_memory_has_a_bound() -> None:
    notes, counts = meters()
    for loss, answers, size in random_batches(2 * MOST_NOTED + 3):
        for meter in (notes, counts):
            meter.add(loss, answers, size)
        assert len(notes.noted) < MOST_NOTED
    assert notes.read() == counts.read()


def test_merging_and_beginning_anew_forget_nothing_and_count_nothing_twice() -> None:
    (notes, counts), (epoch, expected) = meters(), meters()
    for loss, answers, size in random_batches(6):
        for meter, total in ((notes, epoch), (counts, expected)):
            meter.add(loss, answers, size)
            total.merge(meter)
            meter.reset()
    assert notes.read() == counts.read() == Metrics(0.0, 0, 0)
    assert epoch.read() == expected.read()
    for meter in (notes, counts):
        meter.add(*random_batches(1)[0])
        meter.reset()
        assert meter.read() == Metrics(0.0, 0, 0)
        meter.add(*random_batches(1)[0])
        meter.load_state_dict(epoch.state_dict())
    assert notes.read() == counts.read() == epoch.read()


def test_answers_and_counts_may_be_mixed() -> None:
    """As where the first steps of an interval were made by several processes."""
    notes, counts = meters()
    for index, (loss, answers, size) in enumerate(random_batches(9)):
        for meter in (notes, counts):
            meter.add(loss, answers if index % 2 else answers.count(), size)
    assert notes.read() == counts.read()
