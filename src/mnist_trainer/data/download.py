"""Fetching an archive so that nothing but the expected bytes can come of it.

The size is capped while reading, the hash is checked before anything is unpacked, unpacking is
capped too, and a secure address is never followed to an insecure one.
"""

import contextlib
import gzip
import hashlib
import queue
import threading
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from mnist_trainer.errors import DataError
from mnist_trainer.system.files import atomic_write

ANSWER_SECONDS = 6
CHUNK = 1 << 20


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        if urlsplit(newurl).scheme not in ("https", req.type):
            raise DataError(
                f"{req.full_url} redirects to {newurl}, which is less secure: not followed."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(url: str, path: Path, max_bytes: int) -> None:
    """Download a file, whose content is then still to be checked.

    Args:
        url: an http or https address.
        path: where it goes, in one step.
        max_bytes: reading stops, and the file is refused, past this size.

    Raises:
        DataError: unreachable, too large, or redirected to a less secure address.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise DataError(f"{url}: only http and https addresses are fetched.")
    size = 0
    with closing(_answer(url)) as response, atomic_write(path) as file:
        while chunk := _read(response, url):
            size += len(chunk)
            if size > max_bytes:
                raise DataError(
                    f"{url}: more than {max_bytes:,} bytes, the most that this file can have."
                    " Refused."
                )
            file.write(chunk)


def _answer(url: str) -> HTTPResponse:
    """The beginning of an answer, waited for no longer than ``ANSWER_SECONDS`` in all.

    A thread of its own, because the limits of the library count anew for each address of a host and
    each redirection, and not at all for the look-up of its name.
    """
    answers: queue.SimpleQueue[HTTPResponse | OSError | DataError | HTTPException] = (
        queue.SimpleQueue()
    )

    def ask() -> None:
        try:
            answers.put(urllib.request.build_opener(_NoDowngrade).open(url, timeout=ANSWER_SECONDS))
        except (OSError, DataError, HTTPException) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=ANSWER_SECONDS)
    except queue.Empty:
        raise DataError(
            f"{url} could not be fetched: no answer within {ANSWER_SECONDS} seconds."
        ) from None
    if isinstance(answer, DataError):
        raise answer
    if isinstance(answer, OSError | HTTPException):
        raise DataError(
            f"{url} could not be fetched: {getattr(answer, 'reason', answer)}."
        ) from answer
    return answer


def _read(response: HTTPResponse, url: str) -> bytes:
    try:
        return response.read(CHUNK)
    except (OSError, HTTPException) as error:
        raise DataError(
            f"{url} could not be fetched: it broke off: {error or type(error).__name__}."
        ) from error


@contextlib.contextmanager
def gunzipped(file: IO[bytes], source: str, max_bytes: int) -> Iterator[Iterator[bytes]]:
    """The unpacked content in portions.

    Raises:
        DataError: damaged, or larger than ``max_bytes`` when unpacked.
    """

    def portions(stream: gzip.GzipFile) -> Iterator[bytes]:
        size = 0
        while chunk := unpacked(stream):
            size += len(chunk)
            if size > max_bytes:
                raise DataError(f"{source}: unpacks to more than {max_bytes:,} bytes. Refused.")
            yield chunk

    def unpacked(stream: gzip.GzipFile) -> bytes:
        # Here and not around the whole: a damaged archive is an OSError too, which a file being
        # written takes for its own.
        try:
            return stream.read(CHUNK)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(
                f"{source}: damaged: {error}. Remove it to have it fetched again."
            ) from error

    with gzip.GzipFile(fileobj=file) as stream:
        yield portions(stream)


def store(portions: Iterator[bytes], path: Path, sha256: str | None) -> None:
    """Write portions to a file in one step.

    Raises:
        DataError: the whole does not have the hash that it should have; nothing is written.
    """
    digest = hashlib.sha256()
    with atomic_write(path) as file:
        for portion in portions:
            digest.update(portion)
            file.write(portion)
        if sha256 is not None and digest.hexdigest() != sha256:
            raise DataError(
                f"{path.name}: SHA-256 {digest.hexdigest()}, expected {sha256}. Refused."
            )


def hash_of(path: Path, algorithm: str) -> str:
    """MD5 or SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.new(algorithm, usedforsecurity=False)
        ).hexdigest()
