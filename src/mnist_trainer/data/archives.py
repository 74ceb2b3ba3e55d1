"""Published archives: downloaded once into a shared cache, checked, unpacked with a size cap."""

import gzip
import hashlib
import json
import logging
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from filelock import Timeout

from mnist_trainer.data.cache_lock import cache_lock
from mnist_trainer.errors import DataError, MachineError
from mnist_trainer.system.files import atomic_write, sweep_temporaries, write_json
from mnist_trainer.system.paths import user_path

log = logging.getLogger(__name__)

LOCK_SECONDS = 3600
RECORD = ".sha256.json"
"""File name to the SHA-256 that the file had when it was unpacked from a verified archive."""
MAX_ARCHIVE = 1 << 30
MAX_UNPACKED = 1 << 28
CHUNK = 1 << 20


@dataclass(frozen=True)
class ArchiveMember:
    """A raw file, and where it is inside its archive."""

    file: str
    inside: str | None = None
    """Name of its .gz inside a zip; None where the archive is that .gz itself."""
    sha256: str | None = None
    """Of the raw file, where it is known: then an archive that was compressed anew is accepted."""


@dataclass(frozen=True)
class Archive:
    """A published file, and the raw files that it holds."""

    url: str
    md5: str
    members: tuple[ArchiveMember, ...]

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


def provide(
    archives: tuple[Archive, ...], raw: Path, *, download: bool, mirror: str | None
) -> None:
    """Unpack what is missing or damaged in a folder, downloading archives if need be.

    Several processes may call this at once: one works, the others wait and find its files.

    Args:
        raw: folder of the raw files, and of the archives once they are verified.
        download: whether the network may be used.
        mirror: address of a folder to download from in place of the published one.

    Raises:
        DataError: an archive is missing and must not or cannot be downloaded, or has other content.
        MachineError: the folder cannot be written.
    """
    if all(_is_unpacked(archive, raw) for archive in archives):
        return
    try:
        raw.mkdir(parents=True, exist_ok=True)
        with cache_lock(raw.parent / ".lock", LOCK_SECONDS):
            sweep_temporaries(raw)
            for archive in archives:
                # Another process may have provided it while this one waited for the lock.
                if not _is_unpacked(archive, raw):
                    _provide_one(archive, raw, download=download, mirror=mirror)
    except (OSError, Timeout) as error:
        raise MachineError(f"{raw}: {error}. Choose another folder with data.root=PATH.") from error


def _is_unpacked(archive: Archive, raw: Path) -> bool:
    """Whether all files of an archive are there, with the hashes that they were unpacked with."""
    recorded = _recorded_hashes(raw)
    for member in archive.members:
        path, sha256 = raw / member.file, member.sha256 or recorded.get(member.file)
        if not path.is_file():
            return False
        if sha256 is None:
            # Unpacked by another program: an archive beside the file is unpacked again and tells.
            if (raw / archive.name).is_file():
                return False
        elif file_hash(path, "sha256") != sha256:
            log.warning("%s is damaged; it is unpacked or fetched again.", path)
            return False
    return True


def _recorded_hashes(raw: Path) -> dict[str, str]:
    try:
        hashes: Any = json.loads((raw / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return hashes if isinstance(hashes, dict) else {}


def _provide_one(archive: Archive, raw: Path, *, download: bool, mirror: str | None) -> None:
    path = raw / archive.name
    others = [path] if mirror is None or "://" in mirror else [path, user_path(mirror) / path.name]
    if any(_unpack_if_genuine(archive, each, raw) for each in others):
        return
    found = _found_instead(archive, others)
    if not download or len(others) > 1:
        reason = "data.download=false" if not download else f"data.mirror={mirror} has no such file"
        raise DataError(f"{path} is missing or damaged, and {reason}.{found}")
    # Here, because pooch and requests take a tenth of a second to import.
    from mnist_trainer.data.download import fetch

    url = f"{mirror.rstrip('/')}/{archive.name}" if mirror else archive.url
    log.info("Downloading %s", url)
    known = all(member.sha256 for member in archive.members)
    # A folder of its own, so that what a killed download left is removed with it.
    unchecked = raw / ".download" / archive.name
    try:
        fetch(url, unchecked, MAX_ARCHIVE, None if known else f"md5:{archive.md5}")
        _unpack(archive, unchecked, raw)
        # pooch leaves a file that its owner alone can read.
        shutil.copymode(raw / archive.members[0].file, unchecked)
        unchecked.replace(path)
    except DataError as error:
        raise DataError(f"{error}{found}") from error
    finally:
        shutil.rmtree(unchecked.parent, ignore_errors=True)


def _found_instead(archive: Archive, paths: Iterable[Path]) -> str:
    """Lines on the files that are in the place of an archive, and are another one."""
    return "".join(
        f"\n{path} lies there, with MD5 {file_hash(path, 'md5')}; expected is {archive.md5}."
        for path in paths
        if path.is_file()
    )


def _unpack_if_genuine(archive: Archive, path: Path, raw: Path) -> bool:
    """Unpack a file that somebody has put there: the published one by its MD5, or another one of
    the same content, packed anew, by the SHA-256 of what is in it."""
    if not path.is_file():
        return False
    if file_hash(path, "md5") == archive.md5:
        _unpack(archive, path, raw)
        return True
    if not all(member.sha256 for member in archive.members):
        return False
    try:
        _unpack(archive, path, raw)
    except DataError as error:
        log.warning("%s", error)
        return False
    return True


def _unpack(archive: Archive, path: Path, raw: Path) -> None:
    try:
        for member in archive.members:
            with ExitStack() as stack:
                if member.inside is None:
                    packed: IO[bytes] = stack.enter_context(path.open("rb"))
                else:
                    bundle = stack.enter_context(zipfile.ZipFile(path))
                    packed = stack.enter_context(bundle.open(member.inside))
                store(gunzip(packed, archive.name, MAX_UNPACKED), raw / member.file, member.sha256)
        hashes = {member.file: file_hash(raw / member.file, "sha256") for member in archive.members}
        write_json(raw / RECORD, {**_recorded_hashes(raw), **hashes})
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(f"{archive.name}: {error}. Remove it to have it fetched again.") from error


def gunzip(file: IO[bytes], source: str, max_bytes: int) -> Iterator[bytes]:
    """Yield the decompressed content chunk by chunk.

    Raises:
        DataError: damaged, or larger than ``max_bytes`` when decompressed.
    """
    size = 0
    with gzip.GzipFile(fileobj=file) as stream:
        while True:
            try:
                chunk = stream.read(CHUNK)
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                # Converted here, because a damaged archive is an OSError as a full disk is.
                raise DataError(
                    f"{source}: damaged: {error}. Remove it to have it fetched again."
                ) from error
            if not chunk:
                return
            size += len(chunk)
            if size > max_bytes:
                raise DataError(f"{source}: unpacks to more than {max_bytes:,} bytes. Refused.")
            yield chunk


def store(chunks: Iterator[bytes], path: Path, sha256: str | None) -> None:
    """Write chunks to a file, whole or not at all.

    Raises:
        DataError: the SHA-256 is not the expected one; nothing is written.
    """
    digest = hashlib.sha256()
    with atomic_write(path) as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
        if sha256 is not None and digest.hexdigest() != sha256:
            raise DataError(
                f"{path.name}: SHA-256 {digest.hexdigest()}, expected {sha256}. Refused."
            )


def file_hash(path: Path, algorithm: str) -> str:
    """MD5 or SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.new(algorithm, usedforsecurity=False)
        ).hexdigest()
