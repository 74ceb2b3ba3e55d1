"""Downloads: size cap, hash, schemes and redirects."""

import hashlib
from pathlib import Path

import pytest
import requests

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
