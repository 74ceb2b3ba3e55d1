"""How much arithmetic the training steps of the recipes do in a second, under the roofline."""

from collections.abc import Callable, Mapping
from typing import Any

from mnist_trainer.compute.roofline import Peak, step_cost
from mnist_trainer.launch.passport.reference import Runs

LIMITS = {"docs_fcn": 12_800, "docs_cnn": 12_800, "fast99": 19_200}
"""Training images of each recipe: 200 steps, and 60 of fast99."""
TO_99 = "fast99"
STEADY = ("trainer.batch_size=192", "optimizer.lr=0.014", "trainer.translations=3")
"""With these settings, which were its own at first, the recipe takes a fifth longer, and its seeds
differ a third as much: a lower accuracy says that something is wrong, and passports compare."""


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
    cost = step_cost(result["layers"], batch, precision)
    peak = Peak(roofs.get(precision, roofs["fp32"]), roofs["memory"])
    attainable = peak.attainable_gflops(cost)
    gflops = 1e-9 * cost.flops * steps / seconds if seconds else 0.0
    return {
        "recipe": recipe,
        "precision": precision,
        "steps": steps,
        "step_ms": 1000 * seconds / steps,
        "flops_per_step": cost.flops,
        "bytes_per_step": cost.bytes,
        "flops_per_byte": cost.flops / cost.bytes,
        "gflops": gflops,
        "attainable_gflops": attainable,
        "share_of_roofline": gflops / attainable,
    }


def seconds_to_99(runs: Runs, threads: int) -> dict[str, Any]:
    """Train ``experiment=fast99`` with the settings ``STEADY``: the seconds it took, and whether
    the test came to 99 %."""
    result = runs.make(f"experiment={TO_99}", *STEADY, "device=cpu", f"device.threads={threads}")
    return {
        "train_seconds": result["seconds"]["train"],
        "total_seconds": result["seconds"]["total"],
        "test_accuracy": result["test"]["accuracy"],
        "precision": result["device"]["precision"],
        "weights": result["last_weights_sha256"],
    }
