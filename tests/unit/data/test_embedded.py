"""Embedded MNIST: verified, repaired, and shared by several processes."""

import logging
import multiprocessing
from pathlib import Path

import pytest
import torch

from mnist_trainer.data.cache import SHA256
from mnist_trainer.data.embedded import load_mnist, load_mnist_printed
from mnist_trainer.data.images import DataSet


def raw(root: Path) -> Path:
    return root / "MNIST" / "raw"


def test_embedded_files_are_mnist(mnist: DataSet) -> None:
    assert mnist.train.images.shape == (60_000, 1, 28, 28)
    assert mnist.test.images.shape == (10_000, 1, 28, 28)
    assert mnist.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert torch.bincount(mnist.test.labels).tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]
    assert mnist.train.images.float().mean().item() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert mnist.train.images.float().std().item() / 255 == pytest.approx(0.3081, abs=5e-5)


def test_torchvision_reads_the_cache(data_root: Path, mnist: DataSet) -> None:
    from torchvision.datasets import MNIST

    theirs = MNIST(data_root, train=False, download=False)
    assert torch.equal(theirs.data.unsqueeze(1), mnist.test.images)
    assert torch.equal(theirs.targets, mnist.test.labels)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "bit"])
def test_damaged_cache_is_repaired_with_a_warning(
    damage: str, tmp_path: Path, mnist: DataSet, caplog: pytest.LogCaptureFixture
) -> None:
    load_mnist(tmp_path)
    path = raw(tmp_path) / "t10k-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "bit":
        content[5000] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(content[: 0 if damage == "empty" else len(content) // 2])
    with caplog.at_level(logging.WARNING):
        again = load_mnist(tmp_path)
    assert torch.equal(again.test.images, mnist.test.images)
    assert path.stat().st_size == 7_840_016
    assert ("damaged" in caplog.text) is (damage != "missing")


def test_stray_files_are_ignored(tmp_path: Path, mnist: DataSet) -> None:
    raw(tmp_path).mkdir(parents=True)
    (raw(tmp_path) / "train-images-idx3-ubyte.gz").write_bytes(b"not gzip")
    (raw(tmp_path) / "extra").mkdir()
    assert torch.equal(load_mnist(tmp_path).train.labels, mnist.train.labels)


def test_no_temporary_file_is_left(tmp_path: Path) -> None:
    load_mnist(tmp_path)
    assert {path.name for path in raw(tmp_path).iterdir()} == set(SHA256)


def test_unwritable_cache_is_not_needed(
    tmp_path: Path, mnist: DataSet, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with caplog.at_level(logging.WARNING):
        loaded = load_mnist(blocked)
    assert torch.equal(loaded.test.labels, mnist.test.labels)
    assert "in memory" in caplog.text


def _load(root: Path) -> int:
    return len(load_mnist(root).train)


def test_concurrent_processes_share_one_copy(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert pool.map(_load, [tmp_path] * 4) == [60_000] * 4
    assert {path.name for path in raw(tmp_path).iterdir()} == set(SHA256)


def test_printed_digits_come_after_mnist_s_training_images(data_root: Path, mnist: DataSet) -> None:
    both = load_mnist_printed(data_root)
    assert torch.equal(both.train.images[:60_000], mnist.train.images)
    assert torch.equal(both.test.images, mnist.test.images)
    assert len(both.train) == 80_000
    assert torch.bincount(both.train.labels[60_000:70_000]).tolist() == [1000] * 10
    assert min(torch.bincount(both.train.labels[70_000:]).tolist()) > 900
    printed = both.train.images[60_000:, 0].float()
    # Placed as MNIST's are: 20 pixels at most, the centre of mass within a pixel of the middle.
    inked = printed > 0
    for axis in (1, 2):
        assert int(inked.any(dim=axis).sum(dim=1).max()) <= 20
        mass = printed.sum(dim=axis)
        centre = (mass * torch.arange(28)).sum(dim=1) / mass.sum(dim=1)
        assert float((centre - 14).abs().median()) < 0.5
