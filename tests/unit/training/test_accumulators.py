"""Sums of loss and correct predictions."""

import pytest
import torch

from mnist_trainer.runs.metrics import Metrics
from mnist_trainer.training.accumulators import MetricAccumulator, count_correct

CPU = torch.device("cpu")


def test_correct_is_the_largest_logit_at_the_label() -> None:
    logits = torch.tensor([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6]])
    num_correct = count_correct(logits, torch.tensor([1, 0, 0]))
    logits.zero_()  # As a model does that keeps its output from call to call.
    assert num_correct == 2


def test_batches_are_weighted_by_their_size() -> None:
    accumulator = MetricAccumulator(CPU)
    accumulator.add(torch.tensor(1.0), torch.tensor(3), 4)
    accumulator.add(torch.tensor(4.0), torch.tensor(1), 1)
    assert accumulator.read() == Metrics(loss=8 / 5, correct=4, count=5)
    assert accumulator.read().accuracy == 0.8


def test_merged_sums_are_added() -> None:
    first, second = MetricAccumulator(CPU), MetricAccumulator(CPU)
    first.add(torch.tensor(1.0), torch.tensor(1), 2)
    second.add(torch.tensor(3.0), torch.tensor(2), 2)
    first.merge(second)
    assert first.read() == Metrics(2.0, 3, 4)
    second.reset()
    assert second.read() == Metrics(0.0, 0, 0)


def test_an_accumulator_resumes_from_its_state() -> None:
    accumulator, copy = MetricAccumulator(CPU), MetricAccumulator(CPU)
    accumulator.add(torch.tensor(0.1), torch.tensor(1), 3)
    copy.load_state_dict(accumulator.state_dict())
    for each in (accumulator, copy):
        each.add(torch.tensor(0.7), torch.tensor(2), 5)
    assert accumulator.read() == copy.read()


def test_losses_of_all_sizes_are_summed_in_double_precision() -> None:
    generator = torch.Generator().manual_seed(4)
    exponents = torch.randint(-9, 3, (120,), generator=generator)
    losses = torch.rand(120, generator=generator) * 10.0**exponents
    accumulator = MetricAccumulator(CPU)
    for loss in losses:
        accumulator.add(loss, torch.tensor(1), 7)
    expected = sum(float(loss) * 7 for loss in losses) / (7 * 120)
    assert accumulator.read().loss == pytest.approx(expected, rel=1e-12)
