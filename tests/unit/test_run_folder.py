"""Run folders: never shared, never outside, and files in them whole or absent."""

import contextlib
import errno
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mnist_trainer.errors import ConfigError, MachineError
from mnist_trainer.run_folder import (
    NAME_LIMIT,
    RunFolder,
    atomic_write,
    claim_named_folder,
    claim_run_folder,
    claim_sweep_folder,
    discard_if_unused,
    point_latest_at,
    run_label,
    safe_name,
    write_named_file,
)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_many_claims_in_one_second_get_as_many_folders() -> None:
    with ThreadPoolExecutor(16) as pool:
        folders = list(pool.map(lambda _: claim_run_folder("cnn-sgd").path, range(64)))
    assert len(set(folders)) == 64
    assert all(folder.is_dir() for folder in folders)


def test_a_folder_with_a_run_in_it_is_refused(tmp_path: Path) -> None:
    claim_named_folder(tmp_path / "mine")
    (tmp_path / "mine" / "config.yaml").write_text("seed: 0\n")
    with pytest.raises(ConfigError, match="already holds a run"):
        claim_named_folder(tmp_path / "mine")


def test_an_empty_folder_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert claim_named_folder(tmp_path / "mine").path == tmp_path / "mine"


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("")
    with pytest.raises(MachineError, match=r"outputs.*hydra\.run\.dir"):
        claim_run_folder("x")


@pytest.mark.parametrize("name", ["..", ".", "", " ", "a\0b", "...", " x"])
def test_names_that_are_no_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        safe_name(name)


@pytest.mark.parametrize(("name", "shown"), [(".", "sweep=.:"), (" ", "sweep=' ':"), ("a\0b", "sweep='a\\x00b':")])
def test_a_sweep_with_such_a_name_is_told_so_in_the_word_that_was_typed(name: str, shown: str) -> None:
    with pytest.raises(ConfigError) as refused:
        claim_sweep_folder(name)
    assert str(refused.value).startswith(shown)


@pytest.mark.parametrize(
    "name", ["../../etc", "/etc/passwd", "a/b", "a\\b", "x" * 300, "CON", "nul.txt", "späße-数字", "a:b", "~root", "..a"]
)
def test_every_other_name_stays_inside(name: str, tmp_path: Path) -> None:
    safe = safe_name(name)
    assert (tmp_path / safe).resolve().parent == tmp_path.resolve()
    assert 0 < len(safe) <= NAME_LIMIT
    (tmp_path / safe).mkdir()


def test_jobs_of_a_sweep_keep_their_number_however_long_their_name_is() -> None:
    assert run_label(3, "model=fcn,seed=0") == "3-model=fcn,seed=0"
    assert run_label(12, "x" * 500).startswith("12-x")
    assert run_label(0, "") == "0"


def test_a_sweep_may_be_named_and_an_unnamed_one_is_new(tmp_path: Path) -> None:
    assert claim_sweep_folder("lr_study") == claim_sweep_folder("lr_study") == tmp_path / "outputs" / "multirun" / "lr_study"
    assert claim_sweep_folder(None) != claim_sweep_folder(None)


def test_latest_points_at_the_newest(tmp_path: Path) -> None:
    for _ in range(2):
        folder = claim_run_folder("x")
        point_latest_at(folder)
        assert (tmp_path / "outputs" / "latest").resolve() == folder.path


def test_atomic_write_leaves_the_old_file_where_the_new_one_fails(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    interrupted = contextlib.ExitStack()
    file = interrupted.enter_context(atomic_write(path))
    file.write(b"half of the new")
    interrupted.__exit__(RuntimeError, RuntimeError(), None)
    assert path.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_atomic_write_honours_the_umask(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "file") as file:
        file.write(b"x")
    (tmp_path / "plain").write_bytes(b"x")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_a_full_disk_is_told_with_the_way_out(tmp_path: Path) -> None:
    # A limit on the size of files makes the write itself fail, as a full disk does.
    program = (
        "import resource, signal, pathlib, sys\n"
        "from mnist_trainer.run_folder import atomic_write\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        f"with atomic_write(pathlib.Path({str(tmp_path / 'big')!r})) as file: file.write(b'x' * 100000)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "MachineError" in ended.stderr
    assert "hydra.run.dir" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_never_began_leaves_nothing(tmp_path: Path) -> None:
    folder = claim_run_folder("x")
    (folder.path / ".hydra").mkdir()
    (folder.path / ".hydra" / "config.yaml").write_text("")
    folder.log.write_text("")
    discard_if_unused(folder)
    assert not folder.path.exists()


def test_a_run_that_began_is_kept_and_so_are_other_peoples_files(tmp_path: Path) -> None:
    begun, shared = RunFolder(tmp_path / "a"), RunFolder(tmp_path / "b")
    begun.path.mkdir()
    begun.metrics.write_text("{}")
    shared.path.mkdir()
    (shared.path / "notes.txt").write_text("mine")
    for folder in (begun, shared):
        discard_if_unused(folder)
    assert begun.metrics.exists()
    assert (shared.path / "notes.txt").read_text() == "mine"


def test_a_named_file_replaces_the_target_of_a_link_and_not_the_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_bytes(b"old")
    for name in ("file", "new"):
        (tmp_path / name).symlink_to(f"there/{name}")
        write_named_file(tmp_path / name, b"content", "--csv FILE")
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "there" / name).read_bytes() == b"content"
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["file", "new"]


def test_a_named_fifo_is_written_into_and_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(path.read_bytes)
        write_named_file(path, b"content", "--csv FILE")
        assert read.result(timeout=10) == b"content"
    assert path.is_fifo()


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="this system gives open files no names")
def test_a_pipe_that_has_only_a_number_is_written_into() -> None:
    reading, writing = os.pipe()
    write_named_file(Path(f"/dev/fd/{writing}"), b"content", "--csv FILE")
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"content"


def test_a_named_file_that_cannot_be_written_is_told_with_its_own_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MachineError) as told:
        write_named_file(tmp_path / "file" / "x.csv", b"content", "--csv FILE")
    assert str(told.value) == (
        f"{tmp_path / 'file' / 'x.csv'} could not be written: Not a directory. Choose another file with --csv FILE."
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
    with pytest.raises(MachineError, match=r"It needs 7 bytes\. .* free there\. Free some space, or choose another file"):
        write_named_file(tmp_path / "new", b"content", "--csv FILE")
    assert not list(tmp_path.glob("*new*"))
