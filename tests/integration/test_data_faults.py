"""Data faults R14 to R18, through the command."""

import functools
import gzip
import hashlib
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mnist_trainer.data.cache import SHA256
from mnist_trainer.data.download import RESPONSE_SECONDS, fetch
from mnist_trainer.errors import DataError
from tests.integration.conftest import Command
from tests.integration.test_faults import TINY, is_short

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def test_equal_seeds_give_equal_weights(mnist_train: Command, tmp_path: Path) -> None:
    """R14."""
    hashes = []
    for place, seed in (("a", 0), ("b", 0), ("c", 1)):
        ended = mnist_train(*TINY, "trainer.epochs=1", f"seed={seed}", f"hydra.run.dir={place}")
        assert ended.code == 0, ended.err
        result = json.loads((tmp_path / place / "result.json").read_text())
        assert result["seed"] == seed
        hashes.append(result["weights_sha256"])
        assert (
            json.loads((tmp_path / place / "environment.json").read_text())["cpu"]["threads"] == 1
        )
    assert hashes[0] == hashes[1] != hashes[2]


def mutate(raw: Path, how: str) -> None:
    """Damage the files in one of seven ways."""
    images, labels = raw / IMAGES, raw / LABELS
    content = images.read_bytes()
    if how == "missing":
        images.unlink()
    elif how == "empty":
        images.write_bytes(b"")
    elif how == "cut":
        images.write_bytes(content[: len(content) // 2])
    elif how == "bit":
        images.write_bytes(content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
    elif how == "counts":
        labels.write_bytes((raw / "t10k-labels-idx1-ubyte").read_bytes())
    elif how == "label 99":
        marked = labels.read_bytes()
        labels.write_bytes(marked[:100] + bytes([99]) + marked[101:])
    else:
        (raw / "stray").write_bytes(b"stray")
        (raw / f".{IMAGES}.abc.tmp").write_bytes(b"half")


MUTATIONS = ["missing", "empty", "cut", "bit", "counts", "label 99", "stray"]


@pytest.mark.parametrize("how", MUTATIONS)
def test_damaged_mnist_is_repaired_with_a_warning(
    how: str, data_root: Path, mnist_train: Command, tmp_path: Path
) -> None:
    """R15."""
    root = Path(shutil.copytree(data_root, tmp_path / "own"))
    mutate(root / "MNIST" / "raw", how)
    ended = mnist_train(*TINY, "trainer.epochs=1", f"data.root={root}", on_data=False)
    assert ended.code == 0, ended.err
    assert ("was damaged; it is made anew" in ended.err) is (how not in ("missing", "stray"))
    whole = {
        name: hashlib.sha256((root / "MNIST" / "raw" / name).read_bytes()).hexdigest()
        for name in SHA256
    }
    assert whole == SHA256


@pytest.mark.parametrize("how", ["missing", "empty", "cut", "bit", "counts", "label 99"])
def test_damaged_published_data_set_is_refused(
    how: str, data_root: Path, mnist_train: Command, tmp_path: Path
) -> None:
    """R15: MNIST's files in place of KMNIST's, with their hashes on record."""
    raw = tmp_path / "own" / "KMNIST" / "raw"
    shutil.copytree(data_root / "MNIST" / "raw", raw)
    (raw / ".sha256.json").write_text(json.dumps(SHA256))
    mutate(raw, how)
    ended = mnist_train(
        *TINY, "data=kmnist", "data.download=false", f"data.root={tmp_path / 'own'}", on_data=False
    )
    assert ended.code == 3, ended.err
    for said in ("data.download=false", "by hand", "MD5", str(raw)):
        assert said in ended.err
    assert is_short(ended)


@pytest.mark.parametrize("how", ["cut", "counts", "label 99"])
def test_files_without_known_hashes_are_validated(
    how: str, data_root: Path, mnist_train: Command, tmp_path: Path
) -> None:
    """R15: files without archives and without recorded hashes."""
    raw = tmp_path / "own" / "KMNIST" / "raw"
    shutil.copytree(data_root / "MNIST" / "raw", raw)
    mutate(raw, how)
    ended = mnist_train(
        *TINY, "data=kmnist", "data.download=false", f"data.root={tmp_path / 'own'}", on_data=False
    )
    assert ended.code == 3, ended.err
    assert is_short(ended)


@pytest.fixture(params=["closed", pytest.param("silent", marks=pytest.mark.soak), "stalled"])
def dead_mirror(request: pytest.FixtureRequest) -> Iterator[str]:
    """A port without listener, one that never responds, and one that stalls in the body."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    if request.param == "closed":
        listener.close()
    accepted = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            accepted.append(connection)
            if request.param == "stalled":
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc")

    if request.param != "closed":
        threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{port}"
    listener.close()
    for connection in accepted:
        connection.close()


def test_without_network_the_manual_download_is_explained(
    dead_mirror: str, mnist_train: Command, tmp_path: Path
) -> None:
    """R16."""
    started = time.monotonic()
    with pytest.raises(DataError, match="could not be fetched"):
        fetch(f"{dead_mirror}/file", tmp_path / "file", 10**6)
    assert time.monotonic() - started < RESPONSE_SECONDS + 2
    assert list(tmp_path.iterdir()) == []
    ended = mnist_train(
        *TINY,
        "data=kmnist",
        f"data.mirror={dead_mirror}",
        f"data.root={tmp_path / 'own'}",
        on_data=False,
    )
    assert ended.code == 3, ended.err
    for said in (
        str(tmp_path / "own" / "KMNIST" / "raw"),
        "train-images-idx3-ubyte.gz",
        "MD5 bdb82020",
        "21 MB",
        "by hand",
    ):
        assert said in ended.err
    assert is_short(ended)
    assert not [
        path for path in (tmp_path / "own").rglob("*") if path.is_file() and path.name != ".lock"
    ]


def test_commands_share_a_cache_though_one_is_killed(tmp_path: Path) -> None:
    """R17."""
    root = tmp_path / "own"
    raw = root / "MNIST" / "raw"

    def start(number: int) -> subprocess.Popen[str]:
        words = [*TINY, "trainer.epochs=1", f"data.root={root}", f"hydra.run.dir=run{number}"]
        command = [sys.executable, "-m", "mnist_trainer", *words]
        return subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    first = start(0)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list(raw.glob(".*.tmp")):
        time.sleep(0.001)
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -9
    assert list(raw.glob(".*.tmp")), "it was not killed while it wrote"
    others = [start(number) for number in (1, 2, 3, 4)]
    for process in others:
        _, said = process.communicate(timeout=200)
        assert process.returncode == 0, said
        # On a busy machine one waits so long for another that it says so.
        assert all(line.startswith("WARNING: Waiting for") for line in said.splitlines())
    assert {path.name for path in raw.iterdir()} == set(SHA256)


@pytest.fixture
def hostile_mirror(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path / "mirror"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", folder
    server.shutdown()
    server.server_close()


# Tells how much memory the data took above what was in use before.
MEASURED = """
import resource, sys
import torch, torchvision
import mnist_trainer.training.run
from mnist_trainer.cli.exit import exit_codes
from mnist_trainer.data.published import load_published
from pathlib import Path
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
with exit_codes("mnist-train"):
    try:
        load_published("fashion_mnist", Path(sys.argv[1]), download=True, mirror=sys.argv[2])
    finally:
        print(peak() - before)
"""


@pytest.mark.parametrize("what", ["wrong bytes", "gzip bomb"])
def test_hostile_download_is_refused_with_little_memory(
    what: str, hostile_mirror: tuple[str, Path], tmp_path: Path
) -> None:
    """R18: Fashion-MNIST's hashes are of the unpacked files, so that a bomb is unpacked."""
    address, folder = hostile_mirror
    packed = gzip.compress(bytes(1 << 29), 9) if what == "gzip bomb" else os.urandom(1 << 20)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(packed)
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path / "own"), address],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert ended.returncode == 3, ended.stderr
    assert ("unpacks to more than" if what == "gzip bomb" else "damaged") in ended.stderr
    assert int(ended.stdout) < 500
    assert not [
        path for path in (tmp_path / "own").rglob("*") if path.is_file() and path.name != ".lock"
    ]
