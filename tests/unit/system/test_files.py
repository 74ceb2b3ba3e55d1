"""Files that matter: whole or absent, and streams written into as they are."""

import contextlib
import errno
import io
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typing_extensions import Buffer

from mnist_trainer.errors import MachineError
from mnist_trainer.system.files import atomic_write, write_named_file


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    interrupted = contextlib.ExitStack()
    file = interrupted.enter_context(atomic_write(path))
    file.write(b"half of the new")
    interrupted.__exit__(RuntimeError, RuntimeError(), None)
    assert path.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R29: a system that writes less than it is given is given the rest."""

    class Short(io.FileIO):
        def write(self, content: Buffer) -> int:
            return super().write(memoryview(content)[:7])

    monkeypatch.setattr(os, "fdopen", lambda handle, mode: io.BufferedWriter(Short(handle, mode)))
    content = os.urandom(100_000)
    with atomic_write(tmp_path / "file") as file:
        file.write(content)
    assert (tmp_path / "file").read_bytes() == content


def test_atomic_write_honours_the_umask(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "file") as file:
        file.write(b"x")
    (tmp_path / "plain").write_bytes(b"x")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == stat.S_IMODE(
        (tmp_path / "plain").stat().st_mode
    )


def test_a_full_disk_names_another_place(tmp_path: Path) -> None:
    # A limit on the size of files makes the write itself fail, as a full disk does.
    program = (
        "import resource, signal, pathlib, sys\nfrom mnist_trainer.system.files import"
        " atomic_write\nsignal.signal(signal.SIGXFSZ,"
        " signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\nwith"
        f" atomic_write(pathlib.Path({str(tmp_path / 'big')!r})) as file: file.write(b'x' *"
        " 100000)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "MachineError" in ended.stderr
    assert "hydra.run.dir" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_writing_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_bytes(b"old")
    for name in ("file", "new"):
        (tmp_path / name).symlink_to(f"there/{name}")
        write_named_file(tmp_path / name, b"content", "--csv FILE")
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "there" / name).read_bytes() == b"content"
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["file", "new"]


def test_a_fifo_is_written_and_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(path.read_bytes)
        write_named_file(path, b"content", "--csv FILE")
        assert read.result(timeout=10) == b"content"
    assert path.is_fifo()


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="this system gives open files no names")
def test_a_numbered_pipe_is_written() -> None:
    reading, writing = os.pipe()
    write_named_file(Path(f"/dev/fd/{writing}"), b"content", "--csv FILE")
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"content"


def test_an_unwritable_file_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MachineError) as told:
        write_named_file(tmp_path / "file" / "x.csv", b"content", "--csv FILE")
    assert (
        str(told.value)
        == f"{tmp_path / 'file' / 'x.csv'} could not be written: Not a directory. Choose another"
        " file with --csv FILE."
    )
    (tmp_path / "x.csv").symlink_to("x.csv")
    with pytest.raises(MachineError, match="symbolic links"):
        write_named_file(tmp_path / "x.csv", b"content", "--csv FILE")
    with pytest.raises(MachineError, match="No such file"):
        write_named_file(tmp_path / "nowhere" / "x.csv", b"content", "--csv FILE")
    assert not (tmp_path / "nowhere").exists()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        MachineError,
        match=r"It needs 7 bytes\. .* free there\. Free some space, or choose another file",
    ):
        write_named_file(tmp_path / "new", b"content", "--csv FILE")
    assert not list(tmp_path.glob("*new*"))
