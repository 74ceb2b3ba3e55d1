"""Sums, means and intervals."""

import pytest
import torch

from mnist_trainer.meter import Meter
from mnist_trainer.metrics import Metrics, wilson_interval


def test_a_meter_weighs_batches_by_their_size() -> None:
    meter = Meter(torch.device("cpu"))
    meter.add(torch.tensor(1.0), torch.tensor(3), 4)
    meter.add(torch.tensor(4.0), torch.tensor(1), 1)
    assert meter.read() == Metrics(loss=8 / 5, correct=4, count=5)
    assert meter.read().accuracy == 0.8


def test_merging_meters_is_adding_what_they_saw() -> None:
    first, second = Meter(torch.device("cpu")), Meter(torch.device("cpu"))
    first.add(torch.tensor(1.0), torch.tensor(1), 2)
    second.add(torch.tensor(3.0), torch.tensor(2), 2)
    first.merge(second)
    assert first.read() == Metrics(2.0, 3, 4)
    second.reset()
    assert second.read() == Metrics(0.0, 0, 0)


def test_a_meter_goes_on_from_its_state() -> None:
    meter, copy = Meter(torch.device("cpu")), Meter(torch.device("cpu"))
    meter.add(torch.tensor(0.1), torch.tensor(1), 3)
    copy.load_state_dict(meter.state_dict())
    for each in (meter, copy):
        each.add(torch.tensor(0.7), torch.tensor(2), 5)
    assert meter.read() == copy.read()


# Reference values: Newcombe 1998, table I, and the limits of the formula.
@pytest.mark.parametrize(
    ("correct", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (29, 29, 0.8830, 1.0)],
)
def test_wilson_interval_agrees_with_published_values(correct: int, count: int, low: float, high: float) -> None:
    assert wilson_interval(correct, count) == pytest.approx((low, high), abs=5e-5)
