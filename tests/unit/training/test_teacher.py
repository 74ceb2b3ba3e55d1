"""The teacher of a distillation: loaded safely, unchanged by training, on the student's images."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mnist_trainer.compute.device import select_device
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.data.transforms import Transforms, build_transforms
from mnist_trainer.errors import CheckpointError, ConfigError
from mnist_trainer.inference.loading import load_run
from mnist_trainer.models.losses import Distill
from mnist_trainer.runs.checkpoint import load_checkpoint, weights_sha256
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.training.engines.distillation import DistillationEngine
from mnist_trainer.training.run import train
from mnist_trainer.training.teacher import load_teacher
from tests.conftest import Compose
from tests.saved_runs import SMALL, save_run

DIGITS = tuple("0123456789")


def transforms_of(compose: Compose, *words: str) -> Transforms:
    config = compose(*words)
    return build_transforms(config.transforms.fixed, config.transforms.random)


def load(compose: Compose, run: Path | str, *words: str, names: tuple[str, ...] = DIGITS) -> Any:
    device = select_device(compose("device=cpu").device)
    return load_teacher(Distill(str(run), 4.0, 0.1), names, transforms_of(compose, *words), device)


@pytest.mark.parametrize("transforms", ["normalize", "none", "augment"])
def test_the_teacher_answers_as_the_run_itself_does(
    transforms: str, compose: Compose, some_images: LabelledImages, tmp_path: Path
) -> None:
    """On images of the student's transforms, whatever its own are."""
    config = compose("model=fcn", "model.dropout=0.5", "model.hidden=[16]", *SMALL)
    run = save_run(config, tmp_path / "run").path
    teacher = load(compose, run, f"transforms={transforms}")
    images = some_images.images[:20]
    seen = transforms_of(compose, f"transforms={transforms}").preprocess(images)
    expected = load_run(run, device="cpu").logits(images)
    tolerance = 1e-5 if transforms == "none" else 0
    assert torch.allclose(teacher(seen), expected, rtol=0, atol=tolerance)
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


@pytest.mark.parametrize(
    ("words", "names", "said"),
    [
        (("transforms=crop",), DIGITS, "knows images of 28x28 pixels"),
        ((), tuple("abcdefghij"), "its classes are 0, 1, 2"),
    ],
    ids=["size", "classes"],
)
def test_a_teacher_that_does_not_fit_is_refused(
    words: tuple[str, ...], names: tuple[str, ...], said: str, compose: Compose, tmp_path: Path
) -> None:
    run = save_run(compose("model=linear", *SMALL), tmp_path / "run").path
    with pytest.raises(ConfigError, match=f"loss.teacher={run}: .*{said}"):
        load(compose, run, *words, names=names)


def test_no_teacher_and_a_missing_one_are_told(compose: Compose, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"loss\.teacher=null: .*loss=cross_entropy"):
        load(compose, "")
    with pytest.raises(ConfigError, match="there is no such folder"):
        load(compose, tmp_path / "nowhere")


def test_latest_is_refused_with_the_name_to_type(
    compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = save_run(compose("model=linear", *SMALL), tmp_path / "outputs" / "run").path
    (tmp_path / "outputs" / "latest").write_text(f"{run}\n")
    with pytest.raises(ConfigError, match=r"loss\.teacher=latest: .*loss\.teacher=outputs/run"):
        load(compose, "latest")


def test_a_hostile_teacher_runs_nothing(compose: Compose, tmp_path: Path) -> None:
    def foreign(saved: dict[str, Any]) -> None:
        touch = {"_target_": "os.system", "command": f"touch {tmp_path}/ran"}
        saved["config"] = {**saved["config"], "model": touch}

    run = save_run(compose("model=linear", *SMALL), tmp_path / "run", change=foreign).path
    with pytest.raises(CheckpointError, match=r"os\.system"):
        load(compose, run)
    (run / "checkpoints" / "manifest.json").unlink()

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    torch.save(Evil(), run / "checkpoints" / "last.pt")
    with pytest.raises(CheckpointError, match="never loaded"):
        load(compose, run)
    assert not (tmp_path / "ran").exists()


def test_a_student_trains_with_its_teacher_and_leaves_it_alone(
    compose: Compose, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    common = (
        *SMALL,
        f"data.root={data_root}",
        "model=fcn",
        "model.hidden=[16]",
        "trainer.epochs=2",
    )
    teacher = save_run(compose(*common), tmp_path / "teacher").path
    weights = load_checkpoint(teacher / "checkpoints" / "last.pt")["weights"]
    before = weights_sha256(weights)

    def trained(folder: str, *words: str) -> tuple[str, list[float]]:
        (tmp_path / folder).mkdir()
        train(compose(*common, *words), RunFolder(tmp_path / folder), time.perf_counter())
        lines = (tmp_path / folder / "metrics.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        state = load_checkpoint(tmp_path / folder / "checkpoints" / "last.pt")
        losses = [line["loss"] for line in records if line.get("split") == "train"]
        return weights_sha256(state["weights"]), losses

    distill = ("loss=distill", f"loss.teacher={teacher}", "trainer.batch_size=16")
    first = trained("first", *distill)
    assert trained("again", *distill) == first
    assert (
        trained("hard", *distill, "loss.hard_weight=1")[0]
        == trained("plain", "trainer.batch_size=16")[0]
    )
    assert first[0] != trained("soft", *distill, "loss.hard_weight=0")[0]
    now = load_checkpoint(teacher / "checkpoints" / "last.pt")["weights"]
    assert weights_sha256(now) == before


def test_a_student_learns_its_teacher_s_answers(
    compose: Compose, some_images: LabelledImages, tmp_path: Path
) -> None:
    """By soft answers alone, with labels that are all wrong."""
    run = save_run(compose("model=fcn", "model.hidden=[16]", *SMALL), tmp_path / "run").path
    teacher = load(compose, run)
    device = select_device(compose("device=cpu").device)
    torch.manual_seed(9)
    student = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))
    criterion = Distill(str(run), 2.0, 0.0)
    engine = DistillationEngine(student, criterion, device.grad_scaler(), device, teacher)
    images = transforms_of(compose).preprocess(some_images.images)
    wrong = (teacher(images).argmax(dim=1) + 1) % 10
    optimizer = torch.optim.Adam(student.parameters(), 0.003)
    losses = []
    for _ in range(50):
        optimizer.zero_grad()
        loss, logits = engine.backpropagate(images, wrong, 1.0)
        assert not loss.requires_grad
        assert not logits.requires_grad
        losses.append(loss.item())
        optimizer.step()
    assert losses[-1] < losses[0] / 4
    assert all(parameter.grad is None for parameter in teacher.parameters())
