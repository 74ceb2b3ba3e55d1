"""Where the time of a run went, over all its sessions."""

import time

import pytest

from mnist_trainer.compute.device import select_device
from mnist_trainer.runs.result import Seconds
from mnist_trainer.training.clock import Clock
from tests.conftest import Compose


def test_sessions_add_up_and_what_is_under_way_counts(
    compose: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    clock = Clock(
        select_device(compose("device=cpu").device),
        90.0,
        {"setup": 1.0, "train": 20.0, "total": 25.0},
    )
    clock.mark_setup()
    with clock.measure("train"):
        now += 7
        assert clock.seconds() == Seconds(setup=11.0, train=27.0, eval=0.0, total=42.0)
        now += 1
    with clock.measure("eval"):
        now += 2
    now += 0.5
    assert clock.seconds() == Seconds(setup=11.0, train=28.0, eval=2.0, total=45.5)


def test_it_goes_with_the_clock_on_the_wall(compose: Compose) -> None:
    clock = Clock(select_device(compose("device=cpu").device), time.perf_counter())
    with clock.measure("train"):
        time.sleep(0.02)
    seconds = clock.seconds()
    assert 0.02 <= seconds.train <= seconds.total
