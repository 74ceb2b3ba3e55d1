"""Data sets in MNIST's format: torchvision's addresses, hashes and decoders, downloaded by us."""

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from mnist_trainer.config.settings import NUM_TRAINING_IMAGES
from mnist_trainer.data.archives import Archive, ArchiveMember, file_hash, provide
from mnist_trainer.data.images import DataSet, LabelledImages, labelled_images
from mnist_trainer.errors import DataError

FASHION_MNIST_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


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
    """Root and whether it is the training part, to images (N, 28, 28) uint8 and labels (N,) from 0.
    """


def load_published(name: str, root: Path, *, download: bool, mirror: str | None) -> DataSet:
    """Load a data set by its name in ``configs/data``, downloading it if need be.

    Raises:
        DataError: files are missing and must not or cannot be downloaded, are damaged, or are not
            of the published shape; the message says how to download them by hand.
        MachineError: the cache cannot be written.
    """
    source = PUBLISHED[name]()
    raw = root / source.folder / "raw"
    try:
        provide(source.archives, raw, download=download, mirror=mirror)
    except DataError as error:
        raise DataError(f"{error}\n{manual_download_hint(source, raw)}") from error

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

    files = [member.file for archive in source.archives for member in archive.members]
    hashes = {file: file_hash(raw / file, "sha256") for file in files}
    return DataSet(name, part(True), part(False), source.class_names, hashes)


def manual_download_hint(source: RemoteDataset, raw: Path) -> str:
    """How to download the archives by hand: names, hashes, size, folder and address."""
    files = "\n".join(f"  {archive.name}  MD5 {archive.md5}" for archive in source.archives)
    where = source.archives[0].url.rpartition("/")[0]
    return (
        f"To bring the files by hand ({source.size}), put them into {raw}:\n{files}\nThey are"
        f" published at {where}/"
    )


def _four_files(name: str, size: str, sha256: Mapping[str, str]) -> RemoteDataset:
    """A data set of torchvision in MNIST's own four files."""
    from torchvision import datasets

    tv_class = getattr(datasets, name)

    def decode(root: Path, train: bool) -> tuple[Tensor, Tensor]:
        part = tv_class(root, train=train, download=False)
        return part.data, part.targets

    archives = tuple(
        _gz_archive(f"{tv_class.mirrors[0]}{file}", md5, sha256) for file, md5 in tv_class.resources
    )
    return RemoteDataset(name, archives, 10_000, tuple(tv_class.classes), size, decode)


def _gz_archive(url: str, md5: str, sha256: Mapping[str, str]) -> Archive:
    file = url.rpartition("/")[2].removesuffix(".gz")
    return Archive(url, md5, (ArchiveMember(file, sha256=sha256.get(file)),))


def _qmnist() -> RemoteDataset:
    from torchvision.datasets import QMNIST

    def decode(root: Path, train: bool) -> tuple[Tensor, Tensor]:
        part = QMNIST(root, what="train" if train else "test", download=False)
        # Column 0 is the class; the others say who wrote the digit, and where.
        return part.data, part.targets[:, 0]

    resources = (*QMNIST.resources["train"], *QMNIST.resources["test"])
    archives = tuple(_gz_archive(url, md5, {}) for url, md5 in resources)
    return RemoteDataset("QMNIST", archives, 60_000, tuple(string.digits), "20 MB", decode)


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
    "fashion_mnist": lambda: _four_files("FashionMNIST", "30 MB", FASHION_MNIST_SHA256),
    "kmnist": lambda: _four_files("KMNIST", "21 MB", {}),
    "qmnist": _qmnist,
    "emnist_digits": lambda: _emnist("digits", 40_000),
    "emnist_letters": lambda: _emnist("letters", 20_800),
}
