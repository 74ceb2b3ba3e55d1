"""Checkpoints are verified, and load as they were saved."""

import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from mnist_trainer.errors import CheckpointError
from mnist_trainer.runs.checkpoint import Checkpoints, load_checkpoint, weights_sha256

PARTS = (
    "choices",
    "class_names",
    "random",
    "model",
    "optimizer",
    "scheduler",
    "scaler",
    "epoch_meter",
    "interval_meter",
)


def state(step: int = 3) -> dict[str, Any]:
    """A checkpoint in its outer form."""
    return {
        "weights": {"w": torch.arange(6.0).reshape(2, 3) + step},
        "config": {"seed": 0},
        "progress": {"epoch": 0, "batch": step, "step": step},
        "metrics_bytes": 0,
        "selection": {"last_epoch": 0, "best": None},
        **{part: {} for part in PARTS},
    }


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints")


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "bit":
        tensors = (state(step)["weights"]["w"].numpy().tobytes() for step in range(10))
        content[max(map(content.find, tensors))] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(content[: int(float(how) * len(content))])


def test_a_saved_state_loads_unchanged(checkpoints: Checkpoints) -> None:
    checkpoints.save(state(3), is_best=True)
    checkpoints.save(state(4), is_best=False)
    for path, step in ((checkpoints.last, 4), (checkpoints.previous, 3), (checkpoints.best, 3)):
        loaded = load_checkpoint(path)
        assert torch.equal(loaded["weights"]["w"], state(step)["weights"]["w"])
        assert loaded["progress"]["step"] == step
    assert {path.name for path in checkpoints.folder.iterdir()} == {
        "last.pt",
        "previous.pt",
        "best.pt",
        "manifest.json",
    }


@pytest.mark.parametrize("how", ["0", "0.01", "0.5", "0.99", "bit"])
@pytest.mark.parametrize("manifest", [True, False])
def test_a_damaged_checkpoint_is_named(how: str, manifest: bool, checkpoints: Checkpoints) -> None:
    checkpoints.save(state(), is_best=False)
    damage(checkpoints.last, how)
    if not manifest:
        checkpoints.manifest.unlink()
    with pytest.raises(CheckpointError, match=r"last\.pt"):
        load_checkpoint(checkpoints.last)


def test_one_flipped_bit_is_detected(checkpoints: Checkpoints) -> None:
    checkpoints.save(state(), is_best=False)
    whole = checkpoints.last.read_bytes()
    for place in range(0, len(whole), 97):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << (place % 8)
        checkpoints.last.write_bytes(flipped)
        with pytest.raises(CheckpointError):
            load_checkpoint(checkpoints.last)


def test_the_newest_valid_checkpoint_is_used(
    checkpoints: Checkpoints, caplog: pytest.LogCaptureFixture
) -> None:
    for step in (3, 4, 5):
        checkpoints.save(state(step), is_best=step == 3)
    damage(checkpoints.last, "0.5")
    newest = checkpoints.newest()
    assert newest is not None
    assert (newest[0]["progress"]["step"], newest[1].name) == (4, "previous.pt")
    assert "last.pt.corrupt" in caplog.text
    assert "previous.pt" in caplog.text
    damage(checkpoints.previous, "bit")
    newest = checkpoints.newest()
    assert newest is not None
    assert (newest[0]["progress"]["step"], newest[1].name) == (3, "best.pt")
    assert len(list(checkpoints.folder.glob("*.corrupt"))) == 2


def test_only_damaged_checkpoints_are_an_error(checkpoints: Checkpoints) -> None:
    assert checkpoints.newest() is None
    checkpoints.save(state(), is_best=False)
    damage(checkpoints.last, "0.5")
    with pytest.raises(CheckpointError, match="No other checkpoint"):
        checkpoints.newest()


class Touch:
    """Unpickling it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


HOSTILE: dict[str, Any] = {
    "a list": [1, 2, 3],
    "nothing": None,
    "another format": {**state(), "format": 99},
    "a million keys": {str(k): k for k in range(1_000_000)},
    "a key too many": {**state(), "format": 1, "extra": 1},
    "a key too few": {"format": 1, "weights": {}},
    "weights that are none": {**state(), "format": 1, "weights": {"w": "tensor"}},
    "progress that is none": {
        **state(),
        "format": 1,
        "progress": {"epoch": "1", "batch": 0, "step": 0},
    },
}


@pytest.mark.parametrize("what", HOSTILE)
def test_other_layouts_are_refused(what: str, tmp_path: Path) -> None:
    torch.save(HOSTILE[what], tmp_path / "last.pt")
    with pytest.raises(CheckpointError, match=r"last\.pt"):
        load_checkpoint(tmp_path / "last.pt")


@pytest.mark.parametrize("forced", ["0", "1"])
def test_code_in_a_checkpoint_is_not_executed(
    forced: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", forced)
    torch.save(
        {**state(), "format": 1, "scaler": Touch(tmp_path / "touched")}, tmp_path / "last.pt"
    )
    # And nobody is told how to have it executed.
    with pytest.raises(
        CheckpointError,
        match=r"objects other than tensors and plain values, which are never loaded\.$",
    ):
        load_checkpoint(tmp_path / "last.pt")
    assert not (tmp_path / "touched").exists()


def test_other_files_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "zip.pt", "w") as bundle:
        bundle.writestr("a", "b")
    (tmp_path / "text.pt").write_text("text")
    for name in ("zip.pt", "text.pt", "absent.pt"):
        with pytest.raises(CheckpointError, match=name):
            load_checkpoint(tmp_path / name)


def test_weights_hash_ignores_only_the_order() -> None:
    weights = {"a": torch.ones(2, 3), "b": torch.zeros(())}
    digest = weights_sha256(weights)
    assert digest == weights_sha256(dict(reversed(weights.items())))
    assert digest == weights_sha256({**weights, "a": torch.ones(3, 2).T})
    for other in (
        {**weights, "a": torch.ones(3, 2)},
        {**weights, "c": torch.ones(1)},
        {**weights, "b": torch.ones(())},
    ):
        assert digest != weights_sha256(other)


@pytest.mark.parametrize(
    "seconds", [{"train": -1.0}, {"train": float("nan")}, {"lunch": 1.0}, {"train": "long"}, [1.0]]
)
def test_invalid_times_are_refused(seconds: object, checkpoints: Checkpoints) -> None:
    checkpoints.save({**state(), "seconds": {"train": 1.5}}, is_best=False)
    assert load_checkpoint(checkpoints.last)["seconds"] == {"train": 1.5}
    checkpoints.save({**state(), "seconds": seconds}, is_best=False)
    with pytest.raises(CheckpointError, match="types"):
        load_checkpoint(checkpoints.last)


def epoch_state(epoch: int, best: int, batch: int = 0) -> dict[str, Any]:
    """A checkpoint with the best epoch in its selection."""
    progress = {"epoch": epoch, "batch": batch, "step": 10 * epoch + batch}
    scores = {"epoch": best, "loss": 0.5, "correct": 9, "count": 10}
    selection = {"last_epoch": epoch, "best": scores}
    return {**state(epoch), "progress": progress, "selection": selection}


@pytest.mark.parametrize("first_best", [True, False], ids=["of no epoch", "of an older epoch"])
def test_cut_short_save_of_the_best_is_completed(
    first_best: bool, checkpoints: Checkpoints
) -> None:
    checkpoints.save(epoch_state(1, best=1), is_best=True)
    older = checkpoints.best.read_bytes()
    checkpoints.save(epoch_state(2, best=2), is_best=True)
    if first_best:
        checkpoints.best.unlink()
    else:
        checkpoints.best.write_bytes(older)
    checkpoints.newest()
    assert load_checkpoint(checkpoints.best)["progress"]["epoch"] == 2


@pytest.mark.parametrize("later", [epoch_state(2, best=1), epoch_state(1, best=1, batch=3)])
def test_best_of_an_earlier_save_is_kept(later: dict[str, Any], checkpoints: Checkpoints) -> None:
    checkpoints.save(epoch_state(1, best=1), is_best=True)
    best = checkpoints.best.read_bytes()
    checkpoints.save(later, is_best=False)
    checkpoints.newest()
    assert checkpoints.best.read_bytes() == best
