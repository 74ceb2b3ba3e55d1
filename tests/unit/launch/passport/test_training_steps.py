"""Arithmetic of training steps, worked out by hand."""

import pytest

from mnist_trainer.compute.roofline import step_bytes, step_flops
from mnist_trainer.launch.passport.training_steps import place_under_roof

LAYERS = [
    {"macs": 100, "output_shape": [5, 2], "parameters": 20},
    {"macs": 0, "output_shape": [10], "parameters": 0},
    {"macs": 50, "output_shape": [5], "parameters": 55},
]


def test_share_is_of_the_lower_roof() -> None:
    result = {
        "device": {"precision": "fp32"},
        "batch_size": 4,
        "steps": 10,
        "seconds": {"train": 2.0},
        "layers": LAYERS,
    }
    flops, moved = step_flops(LAYERS, 4), step_bytes(LAYERS, 4, 4)
    bound_by_memory = place_under_roof("x", result, {"fp32": 1000.0, "memory": 10.0})
    assert bound_by_memory["attainable_gflops"] == pytest.approx(10 * flops / moved)
    assert bound_by_memory["gflops"] == pytest.approx(1e-9 * flops * 10 / 2)
    bound_by_products = place_under_roof("x", result, {"fp32": 1e-6, "memory": 10.0})
    assert bound_by_products["share_of_roofline"] == pytest.approx(1e-9 * flops * 5 / 1e-6)
