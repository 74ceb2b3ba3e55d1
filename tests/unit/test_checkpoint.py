"""Checkpoints: what was saved is what is loaded, and nothing else can be."""

import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from mnist_trainer.checkpoint import load_checkpoint, save_checkpoint, weights_sha256
from mnist_trainer.errors import CheckpointError

STATE: dict[str, Any] = {"weights": {"w": torch.arange(6.0).reshape(2, 3)}, "config": {"seed": 0}, "progress": {"step": 3}}


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "last.pt", STATE)
    state = load_checkpoint(tmp_path / "last.pt")
    assert torch.equal(state["weights"]["w"], STATE["weights"]["w"])
    assert state["progress"] == {"step": 3}
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_cut_file_is_refused(share: float, tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, STATE)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=r"last\.pt"):
        load_checkpoint(path)


def test_one_flipped_bit_in_a_tensor_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, STATE)
    content = bytearray(path.read_bytes())
    needle = torch.arange(6.0).numpy().tobytes()
    content[content.index(needle) + 9] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(path)


class Touch:
    """Unpickling it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_a_hostile_checkpoint_is_refused_and_not_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    torch.save({**STATE, "format": 1, "extra": Touch(tmp_path / "touched")}, tmp_path / "last.pt")
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "last.pt")
    assert not (tmp_path / "touched").exists()


def test_other_files_are_refused(tmp_path: Path) -> None:
    torch.save([1, 2, 3], tmp_path / "list.pt")
    torch.save({**STATE, "format": 99}, tmp_path / "later.pt")
    with zipfile.ZipFile(tmp_path / "zip.pt", "w") as bundle:
        bundle.writestr("a", "b")
    for name in ("list.pt", "later.pt", "zip.pt", "absent.pt"):
        with pytest.raises(CheckpointError, match=name):
            load_checkpoint(tmp_path / name)


def test_the_hash_sees_names_values_and_shapes_and_not_the_order() -> None:
    weights = {"a": torch.ones(2, 3), "b": torch.zeros(())}
    digest = weights_sha256(weights)
    assert digest == weights_sha256(dict(reversed(weights.items())))
    assert digest == weights_sha256({**weights, "a": torch.ones(3, 2).T})
    for other in ({**weights, "a": torch.ones(3, 2)}, {**weights, "c": torch.ones(1)}, {**weights, "b": torch.ones(())}):
        assert digest != weights_sha256(other)
