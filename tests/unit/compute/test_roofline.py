"""The roofline: arithmetic by hand, a peak that is kept, and damage to the cache."""

import dataclasses
from pathlib import Path

import pytest
import torch

from mnist_trainer.compute import roofline
from mnist_trainer.compute.device import Device, select_device
from mnist_trainer.compute.roofline import (
    Peak,
    StepCost,
    machine_peak,
    measure_peak,
    read_peaks,
    step_bytes,
    step_flops,
)
from tests.conftest import Compose

LAYERS = [
    {"macs": 100, "output_shape": [5, 2], "parameters": 20},
    {"macs": 0, "output_shape": [10], "parameters": 0},
    {"macs": 50, "output_shape": [5], "parameters": 55},
]


def test_backward_pass_has_two_products_but_one_for_the_first_layer() -> None:
    # Forward 150, gradients of weights 150, of the second layer's input 50; an add each.
    assert step_flops(LAYERS, 4) == 2 * 4 * (150 + 150 + 50)


def test_bytes_of_activations_and_parameters() -> None:
    assert step_bytes(LAYERS, 4, 4) == 5 * 4 * 4 * (784 + 25) + 8 * 4 * 75


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compose: Compose) -> Device:
    monkeypatch.setattr(roofline, "peaks_file", lambda: tmp_path / "cache" / "peaks.json")
    return select_device(compose("device=cpu").device)


def test_roof_is_the_lower_of_arithmetic_and_memory() -> None:
    peak = Peak(gflops=100.0, memory=10.0)
    assert peak.attainable_gflops(StepCost(flops=400.0, bytes=100.0)) == 40
    assert peak.attainable_gflops(StepCost(flops=4000.0, bytes=100.0)) == 100


def test_peak_is_measured_once(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    first = machine_peak(device)
    monkeypatch.setattr(roofline, "measure_peak", lambda _: pytest.fail("measured again"))
    assert machine_peak(device) == first


def test_peak_below_a_run_is_measured_again(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roofline, "measure_peak", lambda _: Peak(50.0, 10.0))
    machine_peak(device)
    monkeypatch.setattr(roofline, "measure_peak", lambda _: Peak(200.0, 5.0))
    assert machine_peak(device, at_least=100.0) == Peak(200.0, 10.0)
    assert machine_peak(device) == Peak(200.0, 10.0)


def test_other_threads_have_another_peak(device: Device) -> None:
    other = dataclasses.replace(device, name="another, 64 threads")
    assert roofline.peak_key(other) != roofline.peak_key(device)


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"x": 1}', '{"x": {"gflops": NaN, "memory": 1.0}}', '{"x": {"gflops": 1.0}}'],
)
def test_damaged_peaks_are_left_out(tmp_path: Path, content: str) -> None:
    path = tmp_path / "peaks.json"
    path.write_text(content)
    assert read_peaks(path) == {}


def test_measuring_leaves_the_random_state(device: Device) -> None:
    before = torch.get_rng_state()
    measure_peak(device)
    assert torch.equal(torch.get_rng_state(), before)


def test_no_memory_gives_no_peak(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> float:
        raise MemoryError

    monkeypatch.setattr(roofline, "product_gflops", no_memory)
    assert machine_peak(device) is None
