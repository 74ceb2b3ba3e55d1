"""The measurements by name, in the order of their cost."""

from collections.abc import Callable, Mapping

from benchmarks.literature.accuracies import (
    Estimates,
    measure_control,
    measure_order,
    measure_poly,
    measure_variance,
)
from benchmarks.literature.robustness import (
    measure_attacks,
    measure_corruptions,
    measure_distillation,
    measure_qmnist,
    measure_unknown,
)
from benchmarks.literature.runs import Runs

MEASUREMENTS: Mapping[str, Callable[[Runs], Estimates]] = {
    "control": measure_control,
    "qmnist": measure_qmnist,
    "adversarial": measure_attacks,
    "unknown": measure_unknown,
    "few_images": measure_order,
    "variance": measure_variance,
    "mnist_c": measure_corruptions,
    "poly": measure_poly,
    "distillation": measure_distillation,
}
