"""MNIST's kin, through torchvision's classes: their addresses and hashes, our download, their
decoding."""

import contextlib
import json
import logging
import string
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout
from torch import Tensor

from mnist_trainer.config.settings import NUM_TRAINING_IMAGES
from mnist_trainer.data.download import fetch, gunzipped, hash_of, store
from mnist_trainer.data.images import DataSet, LabelledImages, labelled_images
from mnist_trainer.errors import DataError, MachineError
from mnist_trainer.system.files import sweep_temporaries, write_json

log = logging.getLogger(__name__)

LOCK_SECONDS = 3600
RECORD = ".sha256.json"
MAX_ARCHIVE = 1 << 30
MAX_UNPACKED = 1 << 28

FASHION_MNIST_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


@dataclass(frozen=True)
class ArchiveMember:
    """A raw file, and where it is inside its archive."""

    file: str
    inside: str | None = None
    """Name of its .gz inside a zip; None where the archive is that .gz itself."""
    sha256: str | None = None
    """Hash of the raw file, where it is known: it also vouches for an archive that was packed anew.
    """


@dataclass(frozen=True)
class Archive:
    """A published file, and the raw files that it holds."""

    url: str
    md5: str
    members: tuple[ArchiveMember, ...]

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class RemoteDataset:
    """A data set as torchvision knows it."""

    folder: str
    """Name of torchvision's class, and so of its folder below the root."""
    archives: tuple[Archive, ...]
    num_test: int
    class_names: tuple[str, ...]
    size: str
    """Of the download, for messages."""
    decode: Callable[[Path, bool], tuple[Tensor, Tensor]]
    """Root and "is this the training part" to images (N, 28, 28) uint8 and labels (N,) from 0."""


def load_published(name: str, root: Path, *, download: bool, mirror: str | None) -> DataSet:
    """A data set by its name in ``configs/data``, downloaded if need be.

    Raises:
        DataError: files missing that may or can not be downloaded, damaged, or not of the published
            shape.
    """
    return load(name, PUBLISHED[name](), root, download=download, mirror=mirror)


def load(
    name: str, source: RemoteDataset, root: Path, *, download: bool, mirror: str | None
) -> DataSet:
    """As ``load_published``, of any source."""
    raw = root / source.folder / "raw"
    if not all(_is_there(archive, raw) for archive in source.archives):
        _provide(source, raw, download=download, mirror=mirror)
    members = [member for archive in source.archives for member in archive.members]

    def part(train: bool) -> LabelledImages:
        where = f"{raw} ({'training' if train else 'test'} part)"
        try:
            images, labels = source.decode(root, train)
        except (RuntimeError, ValueError, OSError, AssertionError) as error:
            # What torchvision's reader raises of a damaged file depends on where the damage is.
            raise DataError(
                f"{where}: cannot be read: {error}. Remove the folder to have it fetched again."
            ) from error
        expected = NUM_TRAINING_IMAGES[name] if train else source.num_test
        return labelled_images(
            images, labels, expected=expected, num_classes=len(source.class_names), source=where
        )

    return DataSet(
        name,
        part(True),
        part(False),
        source.class_names,
        {m.file: hash_of(raw / m.file, "sha256") for m in members},
    )


def _is_there(archive: Archive, raw: Path) -> bool:
    """Whether all files of an archive are there, and what they were when they were unpacked."""
    recorded = _recorded(raw)
    for member in archive.members:
        path, sha256 = raw / member.file, member.sha256 or recorded.get(member.file)
        if not path.is_file():
            return False
        if sha256 is None:
            # Someone else unpacked it: if the archive is beside it, that one tells what it should
            # be.
            if (raw / archive.name).is_file():
                return False
        elif hash_of(path, "sha256") != sha256:
            log.warning("%s is damaged; it is unpacked or fetched again.", path)
            return False
    return True


def _recorded(raw: Path) -> dict[str, str]:
    """File name to the SHA-256 that it had when it came out of an archive that was whole."""
    try:
        hashes: Any = json.loads((raw / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return hashes if isinstance(hashes, dict) else {}


def _provide(source: RemoteDataset, raw: Path, *, download: bool, mirror: str | None) -> None:
    try:
        raw.mkdir(parents=True, exist_ok=True)
        with FileLock(raw.parent / ".lock", timeout=LOCK_SECONDS):
            sweep_temporaries(raw)
            for archive in source.archives:
                # Another process may have provided it while this one waited for the lock.
                if not _is_there(archive, raw):
                    _provide_one(archive, raw, download=download, mirror=mirror)
    except DataError as error:
        raise DataError(f"{error}\n{manual_download_hint(source, raw)}") from error
    except (OSError, Timeout) as error:
        raise MachineError(f"{raw}: {error}. Choose another folder with data.root=PATH.") from error


def _provide_one(archive: Archive, raw: Path, *, download: bool, mirror: str | None) -> None:
    path = raw / archive.name
    if path.is_file() and hash_of(path, "md5") == archive.md5:
        _unpack(archive, path, raw)
        return
    if not download:
        raise DataError(f"{path} is missing or damaged, and data.download=false.")
    url = f"{mirror.rstrip('/')}/{archive.name}" if mirror else archive.url
    log.info("Downloading %s", url)
    unchecked = raw / f".{archive.name}.unchecked"
    try:
        fetch(url, unchecked, MAX_ARCHIVE)
        md5 = hash_of(unchecked, "md5")
        if md5 != archive.md5 and any(member.sha256 is None for member in archive.members):
            raise DataError(f"{url}: MD5 {md5}, expected {archive.md5}. Refused.")
        _unpack(archive, unchecked, raw)
        unchecked.replace(path)
    finally:
        unchecked.unlink(missing_ok=True)


def _unpack(archive: Archive, path: Path, raw: Path) -> None:
    try:
        for member in archive.members:
            with contextlib.ExitStack() as stack:
                if member.inside is None:
                    packed: IO[bytes] = stack.enter_context(path.open("rb"))
                else:
                    packed = stack.enter_context(
                        stack.enter_context(zipfile.ZipFile(path)).open(member.inside)
                    )
                portions = stack.enter_context(gunzipped(packed, archive.name, MAX_UNPACKED))
                store(portions, raw / member.file, member.sha256)
        hashes = {member.file: hash_of(raw / member.file, "sha256") for member in archive.members}
        write_json(raw / RECORD, {**_recorded(raw), **hashes})
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(f"{archive.name}: {error}. Remove it to have it fetched again.") from error


def manual_download_hint(source: RemoteDataset, raw: Path) -> str:
    files = "\n".join(f"  {archive.name}  MD5 {archive.md5}" for archive in source.archives)
    where = source.archives[0].url.rpartition("/")[0]
    return (
        f"To bring the files by hand ({source.size}), put them into {raw}:\n{files}\nThey are"
        f" published at {where}/"
    )


def _plain(tv_class: Any, size: str, sha256: Mapping[str, str]) -> RemoteDataset:
    """A data set in MNIST's own four files."""

    def decode(root: Path, train: bool) -> tuple[Tensor, Tensor]:
        part = tv_class(root, train=train, download=False)
        return part.data, part.targets

    archives = tuple(
        Archive(
            f"{tv_class.mirrors[0]}{name}",
            md5,
            (ArchiveMember(file := name.removesuffix(".gz"), sha256=sha256.get(file)),),
        )
        for name, md5 in tv_class.resources
    )
    return RemoteDataset(tv_class.__name__, archives, 10_000, tuple(tv_class.classes), size, decode)


def _fashion_mnist() -> RemoteDataset:
    from torchvision.datasets import FashionMNIST

    return _plain(FashionMNIST, "30 MB", FASHION_MNIST_SHA256)


def _kmnist() -> RemoteDataset:
    from torchvision.datasets import KMNIST

    return _plain(KMNIST, "21 MB", {})


def _qmnist() -> RemoteDataset:
    from torchvision.datasets import QMNIST

    def decode(root: Path, train: bool) -> tuple[Tensor, Tensor]:
        part = QMNIST(root, what="train" if train else "test", download=False)
        # Column 0 is the class; the others say who wrote the digit, and where.
        return part.data, part.targets[:, 0]

    def archives() -> Iterator[Archive]:
        for part in ("train", "test"):
            for url, md5 in QMNIST.resources[part]:
                yield Archive(
                    url, md5, (ArchiveMember(url.rpartition("/")[2].removesuffix(".gz")),)
                )

    return RemoteDataset("QMNIST", tuple(archives()), 60_000, tuple(string.digits), "20 MB", decode)


def _emnist(split: str, num_test: int) -> RemoteDataset:
    from torchvision.datasets import EMNIST

    class_names = tuple(name for name in EMNIST.classes_split_dict[split] if name != "N/A")

    def decode(root: Path, train: bool) -> tuple[Tensor, Tensor]:
        part = EMNIST(root, split=split, train=train, download=False)
        # EMNIST is published transposed, and its letters count from 1 ("N/A" is 0).
        return part.data.transpose(1, 2), part.targets - (1 if split == "letters" else 0)

    files = tuple(
        f"emnist-{split}-{part}-{kind}-ubyte"
        for part in ("train", "test")
        for kind in ("images-idx3", "labels-idx1")
    )
    archive = Archive(
        EMNIST.url, EMNIST.md5, tuple(ArchiveMember(file, f"gzip/{file}.gz") for file in files)
    )
    return RemoteDataset("EMNIST", (archive,), num_test, class_names, "560 MB", decode)


PUBLISHED: dict[str, Callable[[], RemoteDataset]] = {
    "fashion_mnist": _fashion_mnist,
    "kmnist": _kmnist,
    "qmnist": _qmnist,
    "emnist_digits": lambda: _emnist("digits", 40_000),
    "emnist_letters": lambda: _emnist("letters", 20_800),
}
