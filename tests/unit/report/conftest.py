"""Run folders as training leaves them, written by hand: reports need no training to be tested."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mnist_trainer.report.analysis.run_difference import RunDifference, difference_of
from mnist_trainer.report.read.records import RunRecord, read_run
from mnist_trainer.runs.predictions import Predictions, write_predictions
from mnist_trainer.runs.trail import TrailFile

IMAGES = 1000
MakeRun = Callable[..., Path]
Pair = Callable[..., RunDifference]
BUILD = [
    "PyTorch built with:",
    "  - GCC 13.3",
    "  - CPU capability usage: AVX512",
    "  - Build settings: BLAS_INFO=mkl, BUILD_TYPE=Release, USE_CUDA=0, ",
]
ENVIRONMENT: dict[str, Any] = {
    "command": ["mnist-train", "hydra.run.dir=a"],
    "python": "3.11.4",
    "platform": "Linux",
    "packages": {"torch": "2.7.1", "hydra-core": "1.3.2"},
    "installed": {"torch": "2.7.1", "hydra-core": "1.3.2", "pyyaml": "6.0"},
    "device": {"type": "cpu", "name": "some", "precision": "float32"},
    "cpu": {"name": "some", "threads": 2, "capability": "AVX512"},
    "cuda": None,
    "world": {"processes": 1},
    "variables": {"OMP_NUM_THREADS": "2"},
    "torch_build": BUILD,
    "data_sha256": {"t10k-images.gz": "a" * 64},
    "source": {"revision": "1" * 40, "sha256": "2" * 64, "trusted": {"mine": {"net.py": "3"}}},
    "git_revision": "1" * 40,
}


def scored(accuracy: float, images: int = IMAGES) -> dict[str, Any]:
    return {
        "accuracy": accuracy,
        "loss": 0.1,
        "correct": round(accuracy * images),
        "images": images,
    }


def answers(accuracy: float, seed: int) -> Predictions:
    """Answers of which this share is right; the wrong ones fall where the seed wants them."""
    truth = (np.arange(IMAGES) % 10).astype(np.uint16)
    wrong = np.random.default_rng(seed).permutation(IMAGES)[round(accuracy * IMAGES) :]
    predicted = truth.copy()
    predicted[wrong] = (truth[wrong] + 1) % 10
    return Predictions(predicted, np.full(IMAGES, 0.75, np.float32), truth, tuple("0123456789"))


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Write a run of three epochs into a folder below ``tmp_path``; None leaves a part out."""

    def made(
        name: str,
        *,
        seed: int = 0,
        test: float | None = 0.9,
        validation: float | None = 0.88,
        settings: Mapping[str, Any] | None = None,
        result: Mapping[str, Any] | None = None,
        predictions: bool = True,
    ) -> Path:
        folder = tmp_path / name
        (folder / ".hydra").mkdir(parents=True)
        chosen = {"model": "cnn", "optimizer.lr": 0.1, "data.name": "mnist", **(settings or {})}
        config: dict[str, Any] = {
            "seed": seed,
            "name": None,
            "model": {"_target_": f"nets.{chosen['model']}"},
        }
        for key, value in chosen.items():
            part, _, option = key.partition(".")
            if option:
                config.setdefault(part, {})[option] = value
        words = [f"{key}={value}" for key, value in chosen.items()] + [f"seed={seed}"]
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(words))
        choices = {
            "model": chosen["model"],
            "optimizer": "sgd",
            "experiment": chosen.get("experiment"),
        }
        (folder / ".hydra" / "hydra.yaml").write_text(
            yaml.safe_dump({"hydra": {"runtime": {"choices": choices}}})
        )
        (folder / "environment.json").write_text(
            json.dumps({"data_sha256": {"t10k-images": "a" * 64}, "python": "3.11"})
        )
        lines = []
        for epoch in (1, 2, 3):
            point = {
                "kind": "interval",
                "split": "train",
                "epoch": epoch,
                "step": 10 * epoch - 5,
                "loss": 1.2 / epoch,
                "accuracy": 0.7,
            }
            lines += [point, {**point, "kind": "epoch", "step": 10 * epoch}]
            lines.append(
                {
                    **point,
                    "kind": "epoch",
                    "step": 10 * epoch,
                    "split": "test" if validation is None else "validation",
                }
            )
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        if test is not None:
            content = {
                "status": "completed",
                "test": scored(test),
                "validation": None if validation is None else scored(validation),
                "epochs": 3,
                "seed": seed,
                "parameters": 100,
                "seconds": {"setup": 1.0, "train": 4.0, "eval": 1.0, "total": 6.0},
                "weights_sha256": f"{name}-{seed}",
                **(result or {}),
            }
            (folder / "result.json").write_text(json.dumps(content))
            if predictions:
                write_predictions(folder / "predictions.npz", answers(test, hash(name) % 1000))
        elif result is not None:
            (folder / "result.json").write_text(json.dumps(result))
        return folder

    return made


@pytest.fixture
def runs_of(make_run: MakeRun) -> Callable[..., list[RunRecord]]:
    """Records of one recipe: a run for each test accuracy, with seeds from 0."""

    def made(
        name: str, accuracies: list[float], *, first_seed: int = 0, **options: Any
    ) -> list[RunRecord]:
        seeds = range(first_seed, first_seed + len(accuracies))
        return [
            read_run(make_run(f"{name}-{seed}", seed=seed, test=test, **options))
            for seed, test in zip(seeds, accuracies, strict=True)
        ]

    return made


@pytest.fixture
def pair(make_run: MakeRun) -> Pair:
    """Compare two runs of equal weights.

    Args:
        trails: losses of each; None for no trail.
        digests: of the weights, after each loss.
        environment, settings, weights, files, test: of the second run.
        of_both: environment of both.
    """

    def made(
        trails: tuple[list[float] | None, list[float] | None] = ([0.5, 0.25], [0.5, 0.25]),
        environment: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        weights: str = "w",
        files: dict[str, str] | None = None,
        digests: tuple[tuple[int, ...], tuple[int, ...]] = ((1, 2), (1, 2)),
        names: str = "ab",
        of_both: dict[str, Any] | None = None,
        test: float = 0.9,
    ) -> RunDifference:
        paths = []
        for name, losses, after in zip(names, trails, digests, strict=True):
            is_b = name == names[1]
            options: dict[str, Any] = {"settings": settings, "test": test} if is_b else {}
            result = {"weights_sha256": weights if is_b else "w"}
            path = make_run(name, result=result, **options)
            here = (environment if is_b else None) or of_both or ENVIRONMENT
            (path / "environment.json").write_text(json.dumps(here))
            if losses is not None:
                values = [each for pair in zip(losses, after, strict=False) for each in pair]
                TrailFile(path / "trail.bin").append(values)
            for file, text in (files or {}).items() if is_b else ():
                (path / file).parent.mkdir(exist_ok=True)
                (path / file).write_text(text)
            paths.append(path)
        return difference_of(*map(read_run, paths))

    return made
