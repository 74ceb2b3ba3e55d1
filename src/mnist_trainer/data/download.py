"""Download a file with pooch: known hash, size cap while reading, no redirect to plain http.

Importing pooch and requests takes a tenth of a second, so this module is imported where a file is
about to be downloaded, and not before.
"""

import logging
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any
from urllib.parse import urljoin, urlsplit

import pooch
import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from mnist_trainer.errors import DataError

RESPONSE_SECONDS = 6
GRACE_SECONDS = 30.0
MIN_RATE = 10_000
"""Bytes a second, on the average, below which a download is given up."""
CHUNK = 1 << 14


def fetch(url: str, path: Path, max_bytes: int, known_hash: str | None = None) -> None:
    """Download a file unless it is there with the known hash; write it whole or not at all.

    Args:
        url: an http or https address.
        max_bytes: reading stops, and the file is refused, beyond this size.
        known_hash: ``md5:`` or ``sha256:`` and the hexadecimal hash; None accepts any content.

    Raises:
        DataError: unreachable, too large, redirected to a less secure address, or of another hash.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise DataError(f"{url}: only http and https addresses are fetched.")
    # What pooch logs of a download is for its own users: a SHA-256 to copy, and the URL again.
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        downloader = partial(stream, max_bytes=max_bytes)
        pooch.retrieve(url, known_hash, path.name, path.parent, downloader=downloader)
    except TimeoutError:
        raise DataError(
            f"{url} could not be fetched: no response within {RESPONSE_SECONDS} seconds."
        ) from None
    except requests.RequestException as error:
        cause = error.args[0] if error.args else error
        # The last clause of urllib3's message, such as "[Errno 111] Connection refused".
        reason = str(getattr(cause, "reason", cause)).rpartition(": ")[2].rstrip(".")
        raise DataError(f"{url} could not be fetched: {reason}.") from error
    except ValueError as error:
        raise DataError(f"{url}: {error}") from error


def stream(url: str, output_file: str, _: object, *, max_bytes: int) -> None:
    """Stream a response into a file with a progress bar: a downloader for pooch.

    Raises:
        DataError: the response is an error, or larger than ``max_bytes``.
    """
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    response = request(url)
    with Path(output_file).open("wb") as file, progress:
        if not response.ok:
            response.close()
            raise DataError(
                f"{url} could not be fetched: {response.status_code} {response.reason}."
            )
        promised = response.headers.get("Content-Length", "")
        total = int(promised) if promised.isdecimal() and len(promised) < 20 else None
        task = progress.add_task(url.rpartition("/")[2], total=total)
        size = 0
        for chunk in read_in_time(response):
            size += len(chunk)
            if size > max_bytes:
                raise DataError(
                    f"{url}: more than {max_bytes:,} bytes, the largest size that this file can"
                    " have. Refused."
                )
            file.write(chunk)
            progress.update(task, completed=size)


def read_in_time(response: requests.Response) -> Iterator[bytes]:
    """Yield the content of a response while it comes at ``MIN_RATE`` on the average, so that its
    size limits the time.

    A byte now and then lets no read time out: hence a thread that can be left behind.

    Raises:
        DataError: it comes more slowly, or has stopped.
        requests.RequestException: the connection broke.
    """
    chunks: Queue[bytes | Exception] = Queue(maxsize=64)

    def read() -> None:
        try:
            # Closed by the thread that reads: closing waits for a read of another thread.
            with response:
                for chunk in response.iter_content(CHUNK):
                    chunks.put(chunk)
            chunks.put(b"")
        except (requests.RequestException, OSError) as error:
            chunks.put(error)

    started, size = time.monotonic(), 0
    Thread(target=read, daemon=True).start()
    while True:
        left = started + GRACE_SECONDS + size / MIN_RATE - time.monotonic()
        try:
            chunk = chunks.get(timeout=max(0.0, left))
        except Empty:
            raise DataError(
                f"{response.url} could not be fetched: {size:,} bytes came in"
                f" {time.monotonic() - started:.0f} seconds, which is too slow. Try again later, or"
                " name another server: data.mirror=ADDRESS"
            ) from None
        if isinstance(chunk, Exception):
            raise chunk
        if not chunk:
            return
        size += len(chunk)
        yield chunk


def request(url: str) -> requests.Response:
    """Wait for the head of the response, at most ``RESPONSE_SECONDS`` in all.

    The timeouts of requests start again for each address of a host and each redirect, and do not
    limit name resolution: hence a thread that can be left behind.

    Raises:
        TimeoutError: no response in time.
        requests.RequestException: unreachable.
        DataError: redirected to a less secure address.
    """
    response: Future[requests.Response] = Future()

    def send() -> None:
        try:
            response.set_result(
                requests.get(
                    url,
                    stream=True,
                    timeout=RESPONSE_SECONDS,
                    # A .gz file as it is, not unpacked on the way.
                    headers={"Accept-Encoding": "identity"},
                    hooks={"response": refuse_downgrade},
                )
            )
        except (requests.RequestException, DataError) as error:
            response.set_exception(error)

    Thread(target=send, daemon=True).start()
    return response.result(timeout=RESPONSE_SECONDS)


def refuse_downgrade(response: requests.Response, **_: Any) -> None:
    """Check where a response redirects to, before the redirect is followed.

    Raises:
        DataError: from https to anything else, or to another scheme than http and https.
    """
    target = urljoin(response.url, response.headers.get("Location", response.url))
    allowed = ("https", urlsplit(response.url).scheme)
    if response.is_redirect and urlsplit(target).scheme not in allowed:
        raise DataError(
            f"{response.url} redirects to {target}, which is less secure: not followed."
        )
