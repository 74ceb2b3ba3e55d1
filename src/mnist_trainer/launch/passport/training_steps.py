"""How much arithmetic the training steps of the recipes do in a second, under the roofline."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from mnist_trainer.launch.passport.reference import Runs

LIMITS = {"docs_fcn": 12_800, "docs_cnn": 12_800, "fast99": 19_200}
"""Training images of each recipe: 200 and 100 steps."""
TO_99 = "fast99"
INPUT_NUMBERS = 28 * 28


def step_flops(layers: Sequence[Mapping[str, Any]], batch_size: int) -> float:
    """Floating point operations of a training step: a multiply-add is two, and the backward pass
    makes two products for each of the forward pass, but one for the first layer, whose input needs
    no gradient."""
    macs = [int(layer["macs"]) for layer in layers if layer["macs"]]
    return 2.0 * batch_size * (3 * sum(macs) - (macs[0] if macs else 0))


def step_bytes(layers: Sequence[Mapping[str, Any]], batch_size: int, number_bytes: int) -> float:
    """Bytes that a training step moves at least where nothing stays in a cache.

    Each activation is written and read by the forward pass, read by the backward pass, and its
    gradient written and read. Each parameter is read twice, its gradient written and read, its
    momentum and itself read and written by the optimizer.
    """
    activations = INPUT_NUMBERS + sum(int(prod(layer["output_shape"])) for layer in layers)
    parameters = sum(int(layer["parameters"]) for layer in layers)
    return 5.0 * number_bytes * batch_size * activations + 8.0 * 4 * parameters


def measure_recipe(
    runs: Runs, recipe: str, threads: int, roofs: Callable[[], Mapping[str, float]]
) -> dict[str, Any]:
    """GFLOP/s of the training steps of a recipe, beside what the roofline allows.

    Args:
        roofs: gives GFLOP/s of fp32 and of bf16, and GB/s ("memory").
    """
    words = [f"experiment={recipe}", f"data.train_limit={LIMITS[recipe]}", "data.test_limit=200"]
    words += ["trainer.epochs=1", "device=cpu", f"device.threads={threads}"]
    return place_under_roof(recipe, runs.make(*words), roofs())


def place_under_roof(
    recipe: str, result: Mapping[str, Any], roofs: Mapping[str, float]
) -> dict[str, Any]:
    """Arithmetic, bytes and speed of a run's steps, as a point of the roofline (Williams, Waterman
    and Patterson 2009)."""
    precision = str(result["device"]["precision"])
    batch, steps, seconds = result["batch_size"], result["steps"], result["seconds"]["train"]
    flops = step_flops(result["layers"], batch)
    moved = step_bytes(result["layers"], batch, 4 if precision == "fp32" else 2)
    attainable = min(roofs.get(precision, roofs["fp32"]), flops / moved * roofs["memory"])
    gflops = 1e-9 * flops * steps / seconds if seconds else 0.0
    return {
        "recipe": recipe,
        "precision": precision,
        "steps": steps,
        "step_ms": 1000 * seconds / steps,
        "flops_per_step": flops,
        "bytes_per_step": moved,
        "flops_per_byte": flops / moved,
        "gflops": gflops,
        "attainable_gflops": attainable,
        "share_of_roofline": gflops / attainable,
    }


def seconds_to_99(runs: Runs, threads: int) -> dict[str, Any]:
    """Train ``experiment=fast99``: the seconds it took, and whether the test came to 99 %."""
    result = runs.make(f"experiment={TO_99}", "device=cpu", f"device.threads={threads}")
    return {
        "train_seconds": result["seconds"]["train"],
        "total_seconds": result["seconds"]["total"],
        "test_accuracy": result["test"]["accuracy"],
        "precision": result["device"]["precision"],
        "weights": result["last_weights_sha256"],
    }
