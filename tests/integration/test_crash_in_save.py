"""R2: a crash at each point of a save leaves the old checkpoint or the new one, and never a third
state."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE

import pytest

from mnist_trainer.runs.checkpoint import Checkpoints, load_checkpoint
from tests.unit.runs.test_checkpoint import state

# For each line: saves step 1 as a whole; then step 2 up to a chosen point, where it ends as a power
# cut does. In a process of its own, forked from one that has imported torch already.
SAVE = """
import json, os, pathlib, sys
from tests.unit.runs.test_checkpoint import state
from mnist_trainer.system import files
from mnist_trainer.runs.checkpoint import Checkpoints

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()

folder, first, target, point = json.loads(line)
checkpoints = Checkpoints(pathlib.Path(folder))
if first == 1:
    checkpoints.save(state(1), is_best=True)

def crash(): os._exit(137)

real_fdopen, real_fsync, real_replace, real_link = os.fdopen, os.fsync, os.replace, os.link
at = {"name": ""}
real_mkstemp = files.tempfile.mkstemp

def mkstemp(*args, prefix, **named):
    at["name"] = prefix.strip(".")
    return real_mkstemp(*args, prefix=prefix, **named)

class HalfWritten:
    def __init__(self, file): self.file = file
    def __enter__(self): return self
    def __exit__(self, *_): self.file.close()
    def __getattr__(self, name): return getattr(self.file, name)
    def write(self, content):
        if at["name"] == target:
            if point == "before write": crash()
            if point == "half written":
                self.file.write(bytes(content)[: len(content) // 2])
                self.file.flush()
                crash()
        return self.file.write(content)

def fsync(handle):
    here = at["name"] == target
    if here and point == "before fsync": crash()
    real_fsync(handle)
    if here and point == "after fsync": crash()

def replace(source, path):
    here = pathlib.Path(path).name == target
    if here and point == "before replace": crash()
    real_replace(source, path)
    if here and point == "after replace": crash()

def link(source, path):
    real_link(source, path)
    if target == "previous.pt" and point == "after link": crash()

files.tempfile.mkstemp = mkstemp
os.fdopen = lambda handle, mode: HalfWritten(real_fdopen(handle, mode))
os.fsync, os.replace, os.link = fsync, replace, link
checkpoints.save(state(first + 1), is_best=True)
os._exit(0)
"""
WRITES = [
    (target, point)
    for target in ("manifest.json", "last.pt", "best.pt")
    for point in (
        "before write",
        "half written",
        "before fsync",
        "after fsync",
        "before replace",
        "after replace",
    )
] + [("previous.pt", point) for point in ("after link", "before replace", "after replace")]


Crash = Callable[[Path, int, str, str], None]


@pytest.fixture(scope="module")
def crash() -> Iterator[Crash]:
    """Saves, and crashes at a point."""
    command = [sys.executable, "-c", SAVE]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdin=PIPE, stdout=PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        orders, ends = process.stdin, process.stdout

        def crash_once(folder: Path, first: int, target: str, point: str) -> None:
            print(json.dumps([str(folder), first, target, point]), file=orders, flush=True)
            assert int(ends.readline()) == 137

        yield crash_once
        orders.close()


def steps(folder: Path, *names: str) -> list[int]:
    return [load_checkpoint(folder / name)["progress"]["step"] for name in names]


@pytest.mark.parametrize(("target", "point"), WRITES)
def test_old_or_new_and_nothing_else(target: str, point: str, crash: Crash, tmp_path: Path) -> None:
    crash(tmp_path, 1, target, point)
    new_last = target == "best.pt" or (target, point) == ("last.pt", "after replace")
    new_best = (target, point) == ("best.pt", "after replace")
    assert steps(tmp_path, "last.pt", "best.pt") == [2 if new_last else 1, 2 if new_best else 1]
    if (tmp_path / "previous.pt").exists():
        assert steps(tmp_path, "previous.pt") == [1]
    assert len(list(tmp_path.glob(".*.tmp"))) <= 1


@pytest.mark.parametrize(
    ("target", "point"),
    [("last.pt", "before write"), ("last.pt", "half written"), ("previous.pt", "after replace")],
)
def test_nor_after_a_second_crash(target: str, point: str, crash: Crash, tmp_path: Path) -> None:
    """The manifest then names two contents that never came."""
    for first in (1, 2, 3):
        crash(tmp_path, first, target, point)
        assert steps(tmp_path, "last.pt") == [1]
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state(9), is_best=False)
    assert steps(tmp_path, "last.pt", "previous.pt", "best.pt") == [9, 1, 1]
