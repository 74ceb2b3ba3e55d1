"""Run folders as training leaves them, written by hand: reports need no training to be tested."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mnist_trainer.report.read.records import RunRecord, read_run
from mnist_trainer.runs.predictions import Predictions, write_predictions

IMAGES = 1000
MakeRun = Callable[..., Path]


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
