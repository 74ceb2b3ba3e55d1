"""R28, R29: a kill, or an error of the disk, at any system call of a whole run that writes.

Where the same command is typed again it comes to the same bits as an undisturbed run.
"""

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mnist_trainer.runs.checkpoint import load_checkpoint
from tests.forked_commands import Forks
from tests.integration.test_resume import differences, points

pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None and os.environ.get("MNIST_TRAINER_REQUIRE_ALL") != "1",
    reason="strace is not installed",
)
WRITING = (
    "open,openat,creat,write,writev,pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,"
    "link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,symlink,symlinkat"
)
WORDS = (
    "device=cpu",
    "model=linear",
    "transforms=augment",
    "data.train_limit=120",
    "data.validation_limit=50",
    "data.test_limit=50",
    "trainer.epochs=3",
    "trainer.batch_size=40",
    "trainer.log_every=1",
    "trainer.checkpoint_every=2",
    "tracker.images=false",
    "tracker.graph=false",
    "tracker.histograms=false",
    "trainer.film=true",
    "resume=auto",
    "hydra.run.dir=run",
)
CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
KILL = "signal=SIGKILL"

UNEQUAL = {"seconds", "throughput", "resumed_from"}
"""What of result.json differs between a run and the same run, interrupted."""
Point = tuple[str, int]
"""A system call, and how often its thread has made it by then."""


@pytest.fixture(scope="module")
def words(data_root: Path) -> list[str]:
    return [*WORDS, f"data.root={data_root}"]


@pytest.fixture(scope="module")
def server(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with Forks(tmp_path_factory.mktemp("forks"), loaded=data_root) as started:
        yield started


@pytest.fixture(scope="module")
def undisturbed(server: Forks, words: list[str], tmp_path_factory: Any) -> Path:
    """The folder of a run that was left alone, below it ``trace``: its system calls."""
    folder: Path = tmp_path_factory.mktemp("undisturbed")
    options = ["-y", "-o", str(folder / "trace"), "-e", f"trace={WRITING}"]
    ended = server.run("train", *words, cwd=folder, strace=options)
    assert ended.code == 0, ended.err
    return folder


def writing_calls(folder: Path) -> list[Point]:
    """Every system call of a run that changes its folder, in order."""
    made: Counter[tuple[str, str]] = Counter()
    found = []
    for line in (folder / "trace").read_text(errors="replace").splitlines():
        if match := CALL.match(line):
            thread, call, arguments = match.groups()
            made[thread, call] += 1
            is_inside = f"{folder}/run" in arguments or '"run' in arguments
            if is_inside and not ("open" in call and "O_RDONLY" in arguments):
                found.append((call, made[thread, call]))
    return found


def outcome(run: Path) -> dict[str, Any]:
    """What a run has come to, less what is a matter of time."""
    result = json.loads((run / "result.json").read_text())
    events = EventAccumulator(str(run), {"scalars": 0})
    events.Reload()
    arrays = {}
    for name in ("predictions", "film"):
        with np.load(run / f"{name}.npz") as content:
            arrays[name] = {key: content[key].tolist() for key in content.files}
    return {
        "result": {
            k: v for k, v in result.items() if k not in ("seconds", "throughput", "resumed_from")
        },
        "metrics": points(run),
        "trail": (run / "trail.bin").read_bytes(),
        "curves": {
            tag: [(event.step, event.value) for event in events.Scalars(tag)]
            for tag in events.Tags()["scalars"]
            if "images_per_second" not in tag
        },
        **arrays,
        **{
            name: load_checkpoint(run / "checkpoints" / f"{name}.pt")
            for name in ("last", "best", "previous")
        },
    }


def recover(
    server: Forks, words: Sequence[str], folder: Path, expected: dict[str, Any], point: Point
) -> list[str]:
    """Type the command again after a fault; what is not as it should be."""
    found = []
    ended = server.run("train", *words, cwd=folder)
    if ended.code != 0:
        found.append(f"exit {ended.code}: {ended.err}")
    else:
        found += differences(expected, outcome(folder / "run"))
        found += [str(path) for path in (folder / "run").rglob("*.tmp")]
    shutil.rmtree(folder / "run")
    return [f"{point}: {each}" for each in found]


def kill_and_recover(
    server: Forks, words: list[str], undisturbed: Path, folder: Path, chosen: list[Point]
) -> None:
    expected, problems, num_killed = outcome(undisturbed / "run"), [], 0
    for call, count in chosen:
        options = ["-o", os.devnull, "-e", f"trace={call}"]
        inject = f"inject={call}:{KILL}:when={count}"
        ended = server.run("train", *words, cwd=folder, strace=[*options, "-e", inject])
        num_killed += ended.code == -9
        problems += recover(server, words, folder, expected, (call, count))
    assert not problems, "\n".join(problems)
    assert num_killed >= 0.9 * len(chosen)


@pytest.mark.parametrize(
    "part", [0, pytest.param(1, marks=pytest.mark.soak), pytest.param(2, marks=pytest.mark.soak)]
)
def test_killed_at_a_system_call_it_comes_to_the_same_bits(
    part: int, server: Forks, words: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    calls = writing_calls(undisturbed)
    assert len(calls) >= 150
    chosen = calls[part :: len(calls) // 30][::3]
    kill_and_recover(server, words, undisturbed, tmp_path, chosen)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_killed_at_every_system_call_it_comes_to_the_same_bits(
    server: Forks, words: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    kill_and_recover(server, words, undisturbed, tmp_path, writing_calls(undisturbed))


def fail_and_recover(
    server: Forks,
    words: list[str],
    undisturbed: Path,
    folder: Path,
    chosen: list[Point],
    error: str,
) -> None:
    expected, problems = outcome(undisturbed / "run"), []
    for call, count in chosen:
        options = ["-o", os.devnull, "-e", f"trace={call}"]
        inject = f"inject={call}:error={error}:when={count}"
        ended = server.run("train", *words, cwd=folder, strace=[*options, "-e", inject])
        code, said = ended.code, ended.err
        where = f"{call} {count} {error}"
        if code not in (0, 6) or "Traceback" in said:
            problems.append(f"{where}: exit {code}: {said}")
        if code == 6 and len(said.splitlines()) > 10:
            problems.append(f"{where}: a long message: {said}")
        if error == "EINTR" and code != 0:
            problems.append(f"{where}: not tried again: {said}")
        (folder / "run").mkdir(exist_ok=True)
        problems += recover(server, words, folder, expected, (call, count))
    assert not problems, "\n".join(problems)


def calls_that_write(undisturbed: Path) -> list[Point]:
    """The calls that can be given an error: not those of TensorBoard's thread alone."""
    return [each for each in writing_calls(undisturbed) if each[0] in ("write", "fsync")]


@pytest.mark.parametrize("error", ["EIO", pytest.param("EINTR", marks=pytest.mark.soak)])
def test_an_error_of_the_disk_is_told_and_nothing_lost(
    error: str, server: Forks, words: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    calls = calls_that_write(undisturbed)
    chosen = calls[:: len(calls) // 5]
    fail_and_recover(server, words, undisturbed, tmp_path, chosen, error)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("error", ["EIO", "EINTR", "ENOSPC"])
def test_an_error_of_the_disk_at_every_write(
    error: str, server: Forks, words: list[str], undisturbed: Path, tmp_path: Path
) -> None:
    chosen = calls_that_write(undisturbed)
    fail_and_recover(server, words, undisturbed, tmp_path, chosen, error)
