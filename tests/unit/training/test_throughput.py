"""Speed of the training steps, from times that are given."""

from types import SimpleNamespace
from typing import Any

import pytest

from mnist_trainer.compute.roofline import Peak, StepCost
from mnist_trainer.runs.result import Throughput
from mnist_trainer.training import throughput
from mnist_trainer.training.throughput import measure_throughput
from mnist_trainer.training.tracking.closing import speed


def trained(steps: int, cost: StepCost | None, processes: int = 1) -> Any:
    """250 images in updates of 100, so that the third of an epoch has half of them."""
    return SimpleNamespace(
        data=SimpleNamespace(steps_per_epoch=3, num_images=250, update_size=100),
        clock=SimpleNamespace(device=None),
        progress=SimpleNamespace(step=steps),
        step_cost=cost,
        world=SimpleNamespace(size=processes),
    )


@pytest.fixture(autouse=True)
def peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "machine_peak", lambda *_, **__: Peak(10.0, 1.0))


def test_smaller_last_update_counts_as_a_part() -> None:
    cost = StepCost(flops=4e9, bytes=1e9)
    measured = measure_throughput(trained(6, cost), 5.0)
    assert measured.images_per_second == 100
    assert measured.gflops == pytest.approx(4.0)
    assert measured.attainable_gflops == pytest.approx(4.0)
    assert measured.share_of_roofline == pytest.approx(1.0)


@pytest.mark.parametrize(("seconds", "processes"), [(0.1, 1), (5.0, 2)])
def test_no_share_of_a_moment_or_of_several_machines(seconds: float, processes: int) -> None:
    measured = measure_throughput(trained(6, StepCost(4e9, 1e9), processes), seconds)
    assert measured.gflops
    assert measured.share_of_roofline is None


def test_no_arithmetic_of_several_passes() -> None:
    measured = measure_throughput(trained(6, None), 5.0)
    assert measured == Throughput(100.0, None, None)


def test_speed_names_what_is_known() -> None:
    assert speed(Throughput(1234.0, None, None)) == "1,234 images/s"
    assert speed(Throughput(1234.0, 50.0, 200.0)) == (
        "1,234 images/s, 50.0 GFLOP/s, 25 % of the roofline of this machine (200 GFLOP/s)"
    )
