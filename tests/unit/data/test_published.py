"""Published data sets through torchvision, downloaded from a mirror on loopback."""

import gzip
import hashlib
import os
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_trainer.config.settings import NUM_TRAINING_IMAGES
from mnist_trainer.data import archives
from mnist_trainer.data.archives import Archive, ArchiveMember
from mnist_trainer.data.published import PUBLISHED, RemoteDataset, load_published
from mnist_trainer.errors import DataError

FASHION = Path("/usr/share/datasets/fashion-mnist")


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    return (
        bytes([0, 0, kind, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.tobytes()
    )


def digits(count: int, classes: int, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images with a dark first row and a bright first column, so that a transposition shows."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 1:, 0] = 200
    return images, (np.arange(count) % classes + first).astype(np.uint8)


def put(folder: Path, name: str, content: bytes) -> str:
    """Put a file and return its MD5."""
    (folder / name).write_bytes(content)
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def publish(monkeypatch: pytest.MonkeyPatch, name: str, source: RemoteDataset, count: int) -> None:
    """Let a name stand for the source, with as many images as the test made."""
    monkeypatch.setitem(NUM_TRAINING_IMAGES, name, count)
    monkeypatch.setitem(PUBLISHED, name, lambda: replace(source, num_test=count))


def with_md5(source: RemoteDataset, md5: dict[str, str]) -> RemoteDataset:
    archives = tuple(
        Archive(a.url, md5[a.name], tuple(ArchiveMember(m.file, m.inside) for m in a.members))
        for a in source.archives
    )
    return replace(source, archives=archives)


@pytest.mark.skipif(
    not FASHION.is_dir() and os.environ.get("MNIST_TRAINER_REQUIRE_ALL") != "1",
    reason="needs the real Fashion-MNIST files (Debian: apt-get install dataset-fashion-mnist)",
)
def test_real_fashion_mnist_is_downloaded_and_repaired(
    mirror: tuple[str, Path], tmp_path: Path
) -> None:
    address, folder = mirror
    for file in FASHION.glob("*.gz"):
        (folder / file.name).symlink_to(file)
    root = tmp_path / "root"
    fetched = load_published("fashion_mnist", root, download=True, mirror=address)
    assert len(fetched.train) == 60_000
    assert torch.bincount(fetched.test.labels).tolist() == [1000] * 10
    assert fetched.train.images.float().mean().item() / 255 == pytest.approx(0.2860, abs=5e-5)
    # The second time nothing is downloaded.
    again = load_published("fashion_mnist", root, download=False, mirror=None)
    assert torch.equal(again.test.images, fetched.test.images)
    # A flipped bit is noticed, and repaired from the archive.
    raw = root / "FashionMNIST" / "raw" / "t10k-images-idx3-ubyte"
    content = bytearray(raw.read_bytes())
    content[4000] ^= 8
    raw.write_bytes(content)
    repaired = load_published("fashion_mnist", root, download=True, mirror=address)
    assert torch.equal(repaired.test.images, fetched.test.images)


def test_kmnist_is_downloaded_with_nothing_left_over(
    mirror: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = mirror
    images, labels = digits(60, 10)
    files = {"images-idx3": images, "labels-idx1": labels}
    md5 = {
        f"{part}-{kind}-ubyte.gz": put(folder, f"{part}-{kind}-ubyte.gz", gzip.compress(idx(array)))
        for part in ("train", "t10k")
        for kind, array in files.items()
    }
    raw = tmp_path / "root" / "KMNIST" / "raw"
    (raw / ".download").mkdir(parents=True)
    (raw / ".download" / "tmp_of_a_killed_download").write_bytes(b"half")
    publish(monkeypatch, "kmnist", with_md5(PUBLISHED["kmnist"](), md5), 60)
    dataset = load_published("kmnist", tmp_path / "root", download=True, mirror=address)
    assert torch.equal(dataset.train.images[:, 0], torch.from_numpy(images))
    assert dataset.test.labels.tolist() == labels.tolist()
    unpacked = {name.removesuffix(".gz") for name in md5}
    assert {path.name for path in raw.iterdir()} == {*md5, *unpacked, archives.RECORD}
    assert len({path.stat().st_mode for path in raw.iterdir()}) == 1


def test_qmnist_labels_are_the_first_column(
    mirror: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = mirror
    images, labels = digits(40, 10)
    table = np.zeros((40, 8), ">i4")
    table[:, 0], table[:, 1:] = labels, 99
    md5 = {}
    for part in ("train", "test"):
        for name, content in (
            (f"qmnist-{part}-images-idx3-ubyte.gz", idx(images)),
            (f"qmnist-{part}-labels-idx2-int.gz", idx(table, kind=12)),
        ):
            md5[name] = put(folder, name, gzip.compress(content))
    publish(monkeypatch, "qmnist", with_md5(PUBLISHED["qmnist"](), md5), 40)
    dataset = load_published("qmnist", tmp_path / "root", download=True, mirror=address)
    assert dataset.train.labels.tolist() == labels.tolist()


@pytest.mark.parametrize(
    ("name", "split", "classes", "first"),
    [("emnist_letters", "letters", 26, 1), ("emnist_digits", "digits", 10, 0)],
)
def test_emnist_is_transposed_and_labelled_from_zero(
    name: str,
    split: str,
    classes: int,
    first: int,
    mirror: tuple[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, folder = mirror
    images, labels = digits(52, classes, first)
    with zipfile.ZipFile(folder / "gzip.zip", "w") as bundle:
        for part in ("train", "test"):
            for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
                bundle.writestr(
                    f"gzip/emnist-{split}-{part}-{kind}-ubyte.gz", gzip.compress(idx(array))
                )
    md5 = {
        "gzip.zip": (
            hashlib.md5((folder / "gzip.zip").read_bytes(), usedforsecurity=False).hexdigest()
        )
    }
    publish(monkeypatch, name, with_md5(PUBLISHED[name](), md5), 52)
    dataset = load_published(name, tmp_path / "root", download=True, mirror=address)
    assert len(dataset.class_names) == classes
    assert dataset.train.labels.unique().tolist() == list(range(classes))
    assert (dataset.train.images[:, 0, 0, 1:] == 200).all(), (
        "published columns are rows of the upright image"
    )


def kmnist_of_60(folder: Path, label: int = 0) -> RemoteDataset:
    """KMNIST with 60 images in each part, the first with this label, its files in a folder."""
    images, labels = digits(60, 10)
    labels[0] = label
    md5 = {}
    for part in ("train", "t10k"):
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            name = f"{part}-{kind}-ubyte.gz"
            md5[name] = put(folder, name, gzip.compress(idx(array)))
    return with_md5(PUBLISHED["kmnist"](), md5)


def test_wrong_md5_is_refused_and_not_kept(mirror: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = mirror
    kmnist_of_60(folder)
    with pytest.raises(DataError, match=r"MD5 .*expected[\s\S]*by hand") as caught:
        load_published("kmnist", tmp_path / "root", download=True, mirror=address)
    assert len(str(caught.value).splitlines()) <= 10
    assert [
        path.name
        for path in (tmp_path / "root").rglob("*")
        if path.is_file() and path.name != ".lock"
    ] == []


@pytest.mark.parametrize("label", [10, 99, 255])
def test_label_out_of_range_is_refused(
    label: int, mirror: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = mirror
    publish(monkeypatch, "kmnist", kmnist_of_60(folder, label), 60)
    with pytest.raises(DataError, match=f"label {label}"):
        load_published("kmnist", tmp_path / "root", download=True, mirror=address)


def test_wrong_number_of_images_is_refused(
    mirror: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = mirror
    source = kmnist_of_60(folder)
    monkeypatch.setitem(PUBLISHED, "kmnist", lambda: source)
    with pytest.raises(DataError, match="expected 60,000"):
        load_published("kmnist", tmp_path / "root", download=True, mirror=address)


def test_download_false_says_how_to_download_by_hand(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_published("kmnist", tmp_path, download=False, mirror=None)
    for part in (
        "data.download=false",
        str(tmp_path / "KMNIST" / "raw"),
        "train-images-idx3-ubyte.gz",
        "bdb82020",
        "21 MB",
    ):
        assert part in str(caught.value)


def test_unreachable_mirror_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="could not be fetched"):
        load_published("kmnist", tmp_path, download=True, mirror="http://127.0.0.1:9")


def test_gzip_bomb_is_refused(
    mirror: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = mirror
    source = kmnist_of_60(folder)
    first = source.archives[0]
    md5 = {a.name: a.md5 for a in source.archives} | {
        first.name: put(folder, first.name, gzip.compress(bytes(10_000_000)))
    }
    monkeypatch.setitem(PUBLISHED, "kmnist", lambda: with_md5(source, md5))
    monkeypatch.setattr(archives, "MAX_UNPACKED", 1_000_000)
    with pytest.raises(DataError, match="unpacks to more than"):
        load_published("kmnist", tmp_path / "root", download=True, mirror=address)
