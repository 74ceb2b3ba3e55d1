"""Compare the files of two runs, but for times and for hashes of what is rounded."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mnist_trainer.runs.checkpoint import load_checkpoint

EXACT = 1e-9
PASSED_OVER = {
    *(
        "images_per_second",
        "throughput",
        "seconds",
        "time",
        "metrics_bytes",
        "resumed_from",
        "resume",
    ),
    *("weights_sha256", "last_weights_sha256"),
}


def assert_same(ours: Any, alone: Any, where: str) -> None:
    """Equal types, shapes, memory layouts and whole numbers; other numbers to 1e-9."""
    if isinstance(alone, dict):
        assert ours.keys() == alone.keys(), where
        for key in alone.keys() - PASSED_OVER:
            assert_same(ours[key], alone[key], f"{where}.{key}")
    elif isinstance(alone, list | tuple):
        assert len(ours) == len(alone), where
        for index, (one, other) in enumerate(zip(ours, alone, strict=True)):
            assert_same(one, other, f"{where}.{index}")
    elif isinstance(alone, Tensor):
        layouts = [(each.shape, each.dtype, each.stride()) for each in (ours, alone)]
        assert layouts[0] == layouts[1], where
        assert torch.allclose(ours.double(), alone.double(), rtol=0, atol=EXACT), where
    elif isinstance(alone, float):
        assert ours == pytest.approx(alone, rel=EXACT, abs=EXACT), where
    else:
        assert ours == alone, where


def assert_same_run(ours: Path, alone: Path) -> None:
    """Equal checkpoints, results and metrics."""
    for name in ("last.pt", "best.pt"):
        paths = [folder / "checkpoints" / name for folder in (ours, alone)]
        assert paths[0].exists() == paths[1].exists()
        if paths[1].exists():
            assert_same(load_checkpoint(paths[0]), load_checkpoint(paths[1]), name)
            sizes = [path.stat().st_size for path in paths]
            assert abs(sizes[0] - sizes[1]) < 0.02 * sizes[1]
    for one, other in zip(lines(ours), lines(alone), strict=True):
        assert_same(one, other, "metrics.jsonl")
    results = [json.loads((folder / "result.json").read_text()) for folder in (ours, alone)]
    assert_same(results[0], results[1], "result.json")


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
