"""MNIST's kin by way of torchvision, from a mirror on loopback: fetched whole, checked, laid out
upright."""

import functools
import gzip
import hashlib
import http.server
import os
import struct
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mnist_trainer.config.settings import NUM_TRAINING_IMAGES
from mnist_trainer.data import published
from mnist_trainer.data.download import fetch
from mnist_trainer.data.images import DataSet
from mnist_trainer.data.published import (
    PUBLISHED,
    Archive,
    ArchiveMember,
    RemoteDataset,
    load,
    load_published,
)
from mnist_trainer.errors import DataError

FASHION = Path("/usr/share/datasets/fashion-mnist")


class Mirror(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "ftp://127.0.0.1/file")
            self.end_headers()
        else:
            super().do_GET()


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Address and folder of a server on loopback."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Mirror, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", folder
    server.shutdown()
    server.server_close()


def idx(array: np.ndarray, kind: int = 8) -> bytes:
    return (
        bytes([0, 0, kind, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.tobytes()
    )


def digits(count: int, classes: int, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images whose first row is dark and whose first column is bright, so that a transposition
    shows."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 1:, 0] = 200
    return images, (np.arange(count) % classes + first).astype(np.uint8)


def put(folder: Path, name: str, content: bytes) -> str:
    """Put a file and return its MD5."""
    (folder / name).write_bytes(content)
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def small(
    monkeypatch: pytest.MonkeyPatch, name: str, source: RemoteDataset, count: int
) -> RemoteDataset:
    """The source with as many images as the test made."""
    monkeypatch.setitem(NUM_TRAINING_IMAGES, name, count)
    return replace(source, num_test=count)


def with_md5(source: RemoteDataset, md5: dict[str, str]) -> RemoteDataset:
    archives = tuple(
        Archive(a.url, md5[a.name], tuple(ArchiveMember(m.file, m.inside) for m in a.members))
        for a in source.archives
    )
    return replace(source, archives=archives)


@pytest.mark.skipif(
    not FASHION.is_dir() and os.environ.get("MNIST_TRAINER_REQUIRE_ALL") != "1",
    reason=(
        "the real Fashion-MNIST files are not here (Debian: apt-get install dataset-fashion-mnist)"
    ),
)
def test_the_real_fashion_mnist_from_a_mirror(mirror: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = mirror
    for file in FASHION.glob("*.gz"):
        (folder / file.name).symlink_to(file)
    root = tmp_path / "root"
    fetched = load_published("fashion_mnist", root, download=True, mirror=address)
    assert len(fetched.train) == 60_000
    assert torch.bincount(fetched.test.labels).tolist() == [1000] * 10
    assert fetched.train.images.float().mean().item() / 255 == pytest.approx(0.2860, abs=5e-5)
    # The second time it is here already.
    again = load_published("fashion_mnist", root, download=False, mirror=None)
    assert torch.equal(again.test.images, fetched.test.images)
    # A flipped bit is noticed, and mended from the archive or the mirror.
    raw = root / "FashionMNIST" / "raw" / "t10k-images-idx3-ubyte"
    content = bytearray(raw.read_bytes())
    content[4000] ^= 8
    raw.write_bytes(content)
    mended = load_published("fashion_mnist", root, download=True, mirror=address)
    assert torch.equal(mended.test.images, fetched.test.images)


def test_kmnist_through_its_four_files(
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
    source = small(monkeypatch, "kmnist", with_md5(PUBLISHED["kmnist"](), md5), 60)
    dataset = load("kmnist", source, tmp_path / "root", download=True, mirror=address)
    assert torch.equal(dataset.train.images[:, 0], torch.from_numpy(images))
    assert dataset.test.labels.tolist() == labels.tolist()
    assert not list((tmp_path / "root").rglob("*.unchecked"))


def test_qmnist_keeps_the_class_of_its_eight_columns(
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
    source = small(monkeypatch, "qmnist", with_md5(PUBLISHED["qmnist"](), md5), 40)
    dataset = load("qmnist", source, tmp_path / "root", download=True, mirror=address)
    assert dataset.train.labels.tolist() == labels.tolist()


@pytest.mark.parametrize(
    ("name", "split", "classes", "first"),
    [("emnist_letters", "letters", 26, 1), ("emnist_digits", "digits", 10, 0)],
)
def test_emnist_is_turned_upright_and_counted_from_zero(
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
    source = small(monkeypatch, name, with_md5(PUBLISHED[name](), md5), 52)
    dataset = load(name, source, tmp_path / "root", download=True, mirror=address)
    assert len(dataset.class_names) == classes
    assert dataset.train.labels.unique().tolist() == list(range(classes))
    assert (dataset.train.images[:, 0, 0, 1:] == 200).all(), (
        "published columns are rows of the upright image"
    )


def generated(folder: Path, label: int = 0) -> tuple[RemoteDataset, DataSet | None]:
    images, labels = digits(60, 10)
    labels[0] = label
    md5 = {}
    for part in ("train", "t10k"):
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            name = f"{part}-{kind}-ubyte.gz"
            md5[name] = put(folder, name, gzip.compress(idx(array)))
    return with_md5(PUBLISHED["kmnist"](), md5), None


def test_other_bytes_than_the_published_are_refused_and_not_kept(
    mirror: tuple[str, Path], tmp_path: Path
) -> None:
    address, folder = mirror
    generated(folder)
    with pytest.raises(DataError, match=r"MD5 .*expected[\s\S]*by hand") as caught:
        load_published("kmnist", tmp_path / "root", download=True, mirror=address)
    assert len(str(caught.value).splitlines()) <= 10
    assert [
        path.name
        for path in (tmp_path / "root").rglob("*")
        if path.is_file() and path.name != ".lock"
    ] == []


@pytest.mark.parametrize("label", [10, 99, 255])
def test_a_label_that_does_not_exist_is_refused(
    label: int, mirror: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = mirror
    source = small(monkeypatch, "kmnist", generated(folder, label)[0], 60)
    with pytest.raises(DataError, match=f"label {label}"):
        load("kmnist", source, tmp_path / "root", download=True, mirror=address)


def test_a_count_that_is_not_the_published_one_is_refused(
    mirror: tuple[str, Path], tmp_path: Path
) -> None:
    address, folder = mirror
    with pytest.raises(DataError, match="expected 60,000"):
        load("kmnist", generated(folder)[0], tmp_path / "root", download=True, mirror=address)


def test_without_permission_nothing_is_fetched_and_the_way_is_told(tmp_path: Path) -> None:
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


def test_a_mirror_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="could not be fetched"):
        load_published("kmnist", tmp_path, download=True, mirror="http://127.0.0.1:9")


def test_a_file_past_its_largest_size_is_refused(mirror: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = mirror
    put(folder, "big", bytes(5_000_000))
    with pytest.raises(DataError, match="more than 1,000,000 bytes"):
        fetch(f"{address}/big", tmp_path / "big", max_bytes=1_000_000)
    assert not (tmp_path / "big").exists()


def test_a_gzip_bomb_is_refused(
    mirror: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = mirror
    source, _ = generated(folder)
    first = source.archives[0]
    md5 = {a.name: a.md5 for a in source.archives} | {
        first.name: put(folder, first.name, gzip.compress(bytes(10_000_000)))
    }
    monkeypatch.setattr(published, "MAX_UNPACKED", 1_000_000)
    with pytest.raises(DataError, match="unpacks to more than"):
        load("kmnist", with_md5(source, md5), tmp_path / "root", download=True, mirror=address)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "file:///etc/passwd"])
def test_only_web_addresses_are_fetched(url: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="http"):
        fetch(url, tmp_path / "x", max_bytes=10)


def test_a_redirect_to_something_less_secure_is_not_followed(
    mirror: tuple[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="not followed"):
        fetch(f"{mirror[0]}/elsewhere", tmp_path / "x", max_bytes=10)
