"""Each member of a stack against the same run alone: weights, optimizer, metrics, selection."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mnist_trainer.runs.checkpoint import load_checkpoint
from tests.unit.training.stacked.conftest import Alone, Configs, Stacked

EXACT = 1e-9
TIMES = {"images_per_second", "seconds", "train", "eval", "setup", "total"}


def assert_same(ours: Any, alone: Any, where: str = "") -> None:
    """Equal types, shapes and whole numbers; floating-point numbers to 1e-9."""
    if isinstance(alone, dict):
        assert ours.keys() == alone.keys(), where
        for key in alone.keys() - TIMES - {"weights_sha256", "last_weights_sha256"}:
            assert_same(ours[key], alone[key], f"{where}.{key}")
    elif isinstance(alone, list | tuple):
        assert len(ours) == len(alone), where
        for index, (one, other) in enumerate(zip(ours, alone, strict=True)):
            assert_same(one, other, f"{where}.{index}")
    elif isinstance(alone, Tensor):
        assert (ours.shape, ours.dtype, ours.stride()) == (
            alone.shape,
            alone.dtype,
            alone.stride(),
        ), where
        assert torch.allclose(ours.double(), alone.double(), rtol=0, atol=EXACT), where
    elif isinstance(alone, float):
        assert ours == pytest.approx(alone, rel=EXACT, abs=EXACT), where
    else:
        assert ours == alone, where


def assert_same_run(ours: Path, alone: Path) -> None:
    """Everything in two run folders but times, and hashes of what is rounded."""
    for name in ("last.pt", "best.pt"):
        path = alone / "checkpoints" / name
        assert (ours / "checkpoints" / name).exists() == path.exists()
        if path.exists():
            states = [load_checkpoint(each / "checkpoints" / name) for each in (ours, alone)]
            for state in states:
                # Times have as many digits as they like.
                state.pop("metrics_bytes")
            assert_same(*states, name)
    assert_same(
        json.loads((ours / "result.json").read_text()),
        json.loads((alone / "result.json").read_text()),
        "result",
    )
    lines = [(each / "metrics.jsonl").read_text().splitlines() for each in (ours, alone)]
    assert len(lines[0]) == len(lines[1])
    for one, other in zip(*lines, strict=True):
        records = [json.loads(line) for line in (one, other)]
        for record in records:
            record.pop("time", None)
        assert_same(*records, "metrics")


# Name to the words of all members, and the words of each.
CASES = {
    "fcn sgd": (
        ("model=fcn", "optimizer.momentum=0.5", "optimizer.weight_decay=0.01"),
        ("seed=0", "seed=1 optimizer.lr=0.01", "seed=2 optimizer.momentum=0.9"),
    ),
    "cnn sgd, augmented, dropout, smoothing, Nesterov, average, cosine": (
        (
            *("model=cnn", "model.hidden=[20]", "transforms=augment", "scheduler=cosine"),
            *("optimizer.nesterov=true", "trainer.ema_decay=0.9"),
        ),
        (
            "seed=0 model.dropout=0.3 loss.label_smoothing=0.1",
            "seed=1 model.dropout=0.5",
            "seed=2 optimizer.weight_decay=0.1",
        ),
    ),
    "fcn adam, dropout, accumulation, clipping": (
        (
            *("model=fcn", "model.hidden=[32,16]", "model.dropout=0.2", "optimizer=adam"),
            *("trainer.accumulation=2", "trainer.batch_size=16", "trainer.clip_norm=0.5"),
        ),
        ("seed=3 optimizer.weight_decay=0.1", "seed=4 optimizer.lr=0.01"),
    ),
    "cnn adamw, AMSGrad, no validation images": (
        (
            *("model=cnn", "optimizer=adamw", "optimizer.amsgrad=true", "data.validation_size=0"),
            *("scheduler=onecycle", "loss=poly", "optimizer.weight_decay=0.2"),
        ),
        ("seed=0", "seed=1 optimizer.lr=0.01 optimizer.weight_decay=0"),
    ),
    "sgd without momentum": (
        ("model=two_layer", "optimizer.momentum=0", "loss.label_smoothing=0.2"),
        ("seed=0", "seed=0 optimizer.lr=0.2"),
    ),
}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("case", CASES)
def test_members_equal_their_single_runs(
    case: str, configs: Configs, alone: Alone, stacked: Stacked, tmp_path: Path
) -> None:
    words, apart = CASES[case]
    runs = configs(*words, apart=apart)
    ended = stacked(runs)
    assert ended == dict.fromkeys(runs)
    for name, config in runs.items():
        alone(name, config)
        assert_same_run(tmp_path / "stacked" / name, tmp_path / "alone" / name)
