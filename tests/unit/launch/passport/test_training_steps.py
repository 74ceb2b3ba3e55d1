"""Arithmetic of training steps, worked out by hand."""

import pytest

from mnist_trainer.launch.passport.training_steps import place_under_roof, step_bytes, step_flops

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
