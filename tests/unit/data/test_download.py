"""Downloads: size cap, hash, schemes and redirects."""

import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
import requests

from mnist_trainer.data import download
from mnist_trainer.data.download import fetch, refuse_downgrade
from mnist_trainer.errors import DataError


def test_file_above_the_size_cap_is_refused(mirror: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = mirror
    (folder / "big").write_bytes(bytes(5_000_000))
    with pytest.raises(DataError, match="more than 1,000,000 bytes"):
        fetch(f"{address}/big", tmp_path / "big", max_bytes=1_000_000)
    assert not (tmp_path / "big").exists()


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "file:///etc/passwd"])
def test_only_http_and_https_are_fetched(url: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="http"):
        fetch(url, tmp_path / "x", max_bytes=10)


def test_redirect_to_another_scheme_is_refused(mirror: tuple[str, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not followed"):
        fetch(f"{mirror[0]}/elsewhere", tmp_path / "x", max_bytes=10)


def test_known_hash_is_checked(mirror: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = mirror
    (folder / "file").write_bytes(b"content")
    md5 = hashlib.md5(b"content", usedforsecurity=False).hexdigest()
    fetch(f"{address}/file", tmp_path / "own" / "file", 10, f"md5:{md5}")
    assert (tmp_path / "own" / "file").read_bytes() == b"content"
    with pytest.raises(DataError, match=f"MD5 hash.*got {md5}"):
        fetch(f"{address}/file", tmp_path / "own" / "other", 10, f"md5:{md5[::-1]}")
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["file"]


def test_missing_file_is_reported_with_its_status(mirror: tuple[str, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"could not be fetched: 404 File not found\.$"):
        fetch(f"{mirror[0]}/nothing", tmp_path / "x", max_bytes=10)


def test_refused_connection_is_reported_in_one_clause(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"9/x could not be fetched: \[Errno \d+\] [\w ]+\.$"):
        fetch("http://127.0.0.1:9/x", tmp_path / "x", max_bytes=10)


@pytest.mark.parametrize("target", ["http://example.org/file", "//example.org/x", "/y"])
def test_https_never_redirects_to_http(target: str) -> None:
    response = requests.Response()
    response.url, response.status_code = "https://example.org/file", 302
    response.headers["Location"] = target
    if target.startswith("http:"):
        with pytest.raises(DataError, match="not followed"):
            refuse_downgrade(response)
    else:
        refuse_downgrade(response)


class Odd(BaseHTTPRequestHandler):
    """A server that drips, stalls, redirects to itself or promises nonsense."""

    def do_GET(self) -> None:
        if self.path == "/circle":
            self.send_response(302)
            self.send_header("Location", "/circle")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", "x" if self.path == "/nonsense" else "100000")
        self.end_headers()
        while self.path == "/drip" and not self.server.ended.wait(0.05):  # type: ignore[attr-defined]
            self.wfile.write(b"x")
            self.wfile.flush()
        if self.path == "/stall":
            self.server.ended.wait(60)  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("path", "said"), [("drip", "too slow"), ("stall", "too slow"), ("circle", "redirects")]
)
def test_a_download_without_end_is_given_up(
    path: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "GRACE_SECONDS", 0.5)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    server.ended = Event()  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(DataError, match=said):
            fetch(f"http://127.0.0.1:{server.server_port}/{path}", tmp_path / "x", max_bytes=10**6)
    finally:
        server.ended.set()  # type: ignore[attr-defined]
        server.shutdown()
        server.server_close()
    assert not (tmp_path / "x").exists()
