"""The layout of a checkpoint: its keys, the types of their values, and finite numbers alone.

A checkpoint may come from somebody else. Each value is checked here before anything uses it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from mnist_trainer.runs.read import MAX_DEPTH
from mnist_trainer.runs.record_layout import is_count, is_number

FORMAT = 1
KEYS = {
    "format", "weights", "config", "choices", "class_names", "progress", "random", "metrics_bytes",
    "model", "optimizer", "scheduler", "scaler", "selection", "epoch_meter", "interval_meter",
    "averaged", "seconds",
}  # fmt: skip
# Checkpoints from before 2026-11-21 have no "seconds"; without trainer.ema_decay none is averaged.
REQUIRED = KEYS - {"averaged", "seconds"}
COUNTS = ("epoch", "batch", "step")
PURPOSES = {"setup", "train", "eval", "total"}
MAX_INTEGER = 2**64
MAX_SETTINGS = 1_000
"""Values in the settings of a network without weights; each tensor of its weights allows more."""


def layout_problem(state: object) -> str | None:
    """What is wrong with the keys or values of a checkpoint; None where nothing is."""
    if not isinstance(state, dict) or "format" not in state:
        return "not a checkpoint of mnist-train."
    version = state["format"]
    if not is_count(version):
        return f"not a checkpoint of mnist-train: its format is a {type(version).__name__}."
    if version != FORMAT:
        return f"format {version:.6g}, this version reads format {FORMAT}."
    if not REQUIRED <= state.keys() <= KEYS:
        return f"not a checkpoint of mnist-train: its {len(state):,} keys are not those of one."
    wrong = next((key for key, holds in PARTS.items() if not holds(state.get(key))), None)
    if wrong:
        return (
            "not a checkpoint of mnist-train: its parts are not of the types that they should be:"
            f" {wrong}."
        )
    if has_more_values(state["config"], MAX_SETTINGS + 10 * len(state["weights"])):
        return (
            "its settings describe more layers than the"
            f" {len(state['weights']):,} tensors of its weights are for."
        )
    return next(_value_problems(state), None)


def has_more_values(values: object, limit: int) -> bool:
    """Whether nested dictionaries and lists hold more values than a limit; stops there."""
    waiting, count = [values], 0
    while waiting and count <= limit:
        node = waiting.pop()
        count += 1
        if isinstance(node, dict | list | tuple):
            count += max(0, len(node) - limit)
            waiting += list(node.values() if isinstance(node, dict) else node)[: limit + 1]
    return count > limit


def _are_tensors(weights: object) -> bool:
    return isinstance(weights, dict) and all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in weights.items()
    )


def _is_progress(progress: object) -> bool:
    return (
        isinstance(progress, dict)
        and progress.keys() <= {*COUNTS, "gradient_norms"}
        and all(is_count(progress.get(name)) for name in COUNTS)
        and _are_numbers(progress.get("gradient_norms", []))
    )


def _are_numbers(values: object) -> bool:
    return isinstance(values, list) and all(map(is_number, values))


def _is_selection(selection: object) -> bool:
    if not isinstance(selection, dict) or not is_count(selection.get("last_epoch")):
        return False
    best = selection.get("best")
    return best is None or (
        isinstance(best, dict)
        and is_number(best.get("loss"))
        and all(is_count(best.get(name)) for name in ("epoch", "correct", "count"))
        and best["correct"] <= best["count"] > 0
    )


def _are_seconds(seconds: object) -> bool:
    return seconds is None or (
        isinstance(seconds, dict)
        and seconds.keys() <= PURPOSES
        and all(is_number(spent) and spent >= 0 for spent in seconds.values())
    )


PARTS: Mapping[str, Callable[[Any], bool]] = {
    "config": lambda config: isinstance(config, dict),
    "weights": _are_tensors,
    "model": _are_tensors,
    "progress": _is_progress,
    "metrics_bytes": is_count,
    "selection": _is_selection,
    "seconds": _are_seconds,
}


def _value_problems(state: dict[str, Any]) -> Iterator[str]:
    """Each value of a checkpoint that no run writes: a tensor that is not finite, a huge integer,
    nesting without end."""
    waiting: list[tuple[str, Any, int]] = [("", state, 0)]
    seen: set[int] = set()
    while waiting:
        name, node, depth = waiting.pop()
        if problem := _leaf_problem(node):
            yield f"{name} {problem}."
        elif isinstance(node, dict | list | tuple):
            if depth > MAX_DEPTH:
                yield f"its values are nested more than {MAX_DEPTH} deep."
            elif id(node) not in seen:
                seen.add(id(node))
                pairs = node.items() if isinstance(node, dict) else enumerate(node)
                waiting += [
                    (f"{name}.{str(key)[:80]}" if name else str(key)[:80], value, depth + 1)
                    for key, value in pairs
                ]
            elif name.startswith("config"):
                # Shared parts multiply when a configuration is copied.
                yield f"{name} is a part of its settings for a second time."


def _leaf_problem(node: object) -> str | None:
    if isinstance(node, Tensor):
        return tensor_problem(node)
    if type(node) is int and abs(node) >= MAX_INTEGER:
        return "is a whole number of more than 64 bits"
    return None


def tensor_problem(tensor: Tensor) -> str | None:
    """What is wrong with a tensor; None where it holds finite numbers."""
    if tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized:
        return "is not a dense tensor"
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return "is larger than what is stored of it"
    if not tensor.is_floating_point() and not tensor.is_complex():
        return None
    bad = int(tensor.numel() - tensor.isfinite().sum())
    if not bad:
        return None
    kind = "NaN" if bool(tensor.isnan().any()) else "infinite"
    return f"is not finite: {bad:,} of its {tensor.numel():,} numbers are not, such as {kind}"
