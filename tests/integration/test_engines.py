"""Training with each engine: whole runs of the command."""

import json
from pathlib import Path
from typing import Any

import pytest

from mnist_trainer.runs.checkpoint import load_checkpoint
from tests.integration.conftest import QUICK, Command
from tests.integration.test_resume import differences

WORDS = ("model=fcn", "model.hidden=[32,16]", "optimizer.lr=0.05", "trainer.log_every=1", *QUICK)


def points(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


def test_the_engines_train_alike_step_by_step(mnist_train: Command, tmp_path: Path) -> None:
    """The same weights at the start, the same batches with a partial one at the end: the same curve
    for each engine."""
    # 640 images in batches of 50, the last one of 40; two batches an update, the last update of 40
    # images.
    words = (
        *WORDS,
        "trainer.batch_size=50",
        "trainer.accumulation=2",
        "trainer.clip_norm=5",
        "trainer.ema_decay=0.5",
    )
    curves = {}
    for engine in ("autograd", "manual", "numpy"):
        ended = mnist_train(
            *words, "trainer.epochs=3", f"trainer.engine={engine}", f"hydra.run.dir={engine}"
        )
        assert ended.code == 0, ended.err
        assert (f"engine  {engine}: gradients by formulas" in ended.out) == (engine != "autograd")
        curves[engine] = points(tmp_path / engine, "interval")
    assert [point["step"] for point in curves["autograd"]] == list(range(1, 22))
    assert curves["autograd"][-1]["loss"] < curves["autograd"][0]["loss"] - 0.5
    for engine in ("manual", "numpy"):
        for ours, theirs in zip(curves[engine], curves["autograd"], strict=True):
            assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-4)
            assert ours["gradient_norm"] == pytest.approx(theirs["gradient_norm"], rel=1e-3)
    results = {
        engine: json.loads((tmp_path / engine / "result.json").read_text()) for engine in curves
    }
    for result in results.values():
        assert result["test"]["loss"] == pytest.approx(
            results["autograd"]["test"]["loss"], abs=1e-4
        )


def test_a_run_in_numpy_is_gone_on_with_as_if_it_had_never_stopped(
    mnist_train: Command, tmp_path: Path
) -> None:
    words = (
        *WORDS,
        "trainer.engine=numpy",
        "model.dropout=0.2",
        "optimizer=adam",
        "optimizer.lr=0.001",
    )
    assert mnist_train(*words, "trainer.epochs=2", "hydra.run.dir=whole").code == 0
    assert mnist_train(*words, "hydra.run.dir=parts").code == 0
    ended = mnist_train("resume=parts", "trainer.epochs=2")
    assert ended.code == 0, ended.err
    whole, parts = (
        load_checkpoint(tmp_path / name / "checkpoints" / "last.pt") for name in ("whole", "parts")
    )
    assert differences(whole, parts) == []
    assert [point["loss"] for point in points(tmp_path / "parts", "interval")] == [
        point["loss"] for point in points(tmp_path / "whole", "interval")
    ]


def test_another_engine_half_way_is_another_run(mnist_train: Command, tmp_path: Path) -> None:
    assert mnist_train(*WORDS, "hydra.run.dir=begun").code == 0
    refused = mnist_train("resume=begun", "trainer.epochs=2", "trainer.engine=numpy")
    assert refused.code == 4
    assert "trainer.engine: autograd -> numpy" in refused.err
    ended = mnist_train(
        "resume=begun", "trainer.epochs=2", "trainer.engine=numpy", "resume_allow_changes=true"
    )
    assert ended.code == 0, ended.err
    assert points(tmp_path / "begun", "epoch")[-1]["epoch"] == 2


def test_a_run_in_numpy_that_diverges_says_so_quietly(mnist_train: Command) -> None:
    ended = mnist_train(*WORDS, "trainer.engine=numpy", "optimizer.lr=1e30")
    assert ended.code == 5
    assert "learning rate 1e+30" in ended.err
    assert "Warning" not in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trainer.engine=numpy"], "model=linear, model=two_layer, model=fcn"),
        (["trainer.engine=nump"], "autograd, manual, numpy"),
        (["trainer.engine=numpy", "model=fcn", "device=cuda"], "device=cpu"),
        (["trainer.engine=manual", "model=fcn", "device.precision=bf16"], "device.precision=auto"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_does_not_go_together_is_answered_before_torch_is_there(
    words: list[str], said: str, mnist_train: Command, tmp_path: Path
) -> None:
    ended = mnist_train(*words, PYTHONPROFILEIMPORTTIME="1")
    said_lines = [line for line in ended.err.splitlines() if not line.startswith("import time:")]
    imported = {
        line.rpartition("|")[2].strip()
        for line in ended.err.splitlines()
        if line.startswith("import time:")
    }
    assert ended.code == 2
    assert said in "\n".join(said_lines)
    assert len(said_lines) <= 10
    assert "torch" not in imported
    assert not (tmp_path / "outputs").exists()
