"""Arithmetic of speeds, by hand."""

import pytest

from mnist_trainer.compute.passport.moods import Moods
from mnist_trainer.compute.passport.speed import theoretical_peak, thread_counts


def test_peak_is_cores_times_clock_times_operations() -> None:
    assert theoretical_peak(["avx2", "avx512f"], 2, 2600.0)["gflops"] == pytest.approx(332.8)
    assert theoretical_peak(["avx", "avx2"], 4, 3000.0)["gflops"] == pytest.approx(384.0)
    assert theoretical_peak(["asimd"], 4, 3000.0)["gflops"] is None
    assert theoretical_peak(["avx2"], 4, None)["gflops"] is None


def test_thread_counts_end_at_cores_and_threads() -> None:
    assert thread_counts(1, 1) == [1]
    assert thread_counts(6, 6) == [1, 2, 4, 6]
    assert thread_counts(2, 8) == [1, 2, 8]


def test_moods_measure_wall_and_cpu_time_of_one_thread() -> None:
    moods = Moods()
    moods.sample(3)
    assert len(moods.samples) == 3
    for sample in moods.samples:
        assert 0 < sample["cpu"] <= sample["wall"] * 1.05
    assert moods.elapsed().wall >= sum(sample["wall"] for sample in moods.samples)
