"""R39, R40: kills and faults without end, of sweeps and of single runs."""

import collections
import json
import os
import random
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.fork_server import ForkServer, fork_server
from tests.integration.test_kill_points import WORDS, outcome
from tests.integration.test_resume import differences

SWEEP = (*(w for w in WORDS if not w.startswith(("resume", "hydra"))), "sweep=storm", "-m")
FAULTS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    with fork_server() as started:
        yield started


def table_of(folder: Path) -> str:
    """The table that a sweep prints, less its times."""
    text = (folder / "stdout.txt").read_text()
    lines = [line for line in text.splitlines() if line.lstrip().startswith(("│", "┃", "1", "2"))]
    return re.sub(r"\d+(\.\d+)? (s|min|h)\b", "TIME", "\n".join(lines))


def ride_out(server: ForkServer, words: list[str], folder: Path, kills: int, longest: float) -> int:
    """Kill a sweep so often, each time starting it again; how often a kill came in time."""
    rng, num_killed = random.Random(kills), 0  # noqa: S311
    for _ in range(kills):
        code = server.run(words, folder, signals=[(rng.uniform(0.05, longest), signal.SIGKILL)])
        assert code in (0, -9), (folder / "stderr.txt").read_text()
        num_killed += code == -9
    assert server.run(words, folder) == 0, (folder / "stderr.txt").read_text()
    return num_killed


def results(sweep: Path) -> dict[str, object]:
    """What the jobs of a sweep have come to, by their folders."""
    return {
        path.parent.name: {
            key: value
            for key, value in json.loads(path.read_text()).items()
            if key not in ("seconds", "resumed_from")
        }
        for path in sweep.glob("*/result.json")
    }


@pytest.mark.parametrize(
    ("jobs", "kills"), [(3, 8), pytest.param(8, 100, marks=[pytest.mark.soak])]
)
def test_a_sweep_under_a_storm_of_kills_ends_with_the_same_table(
    jobs: int, kills: int, server: ForkServer, data_root: Path, tmp_path: Path
) -> None:
    words = [*SWEEP, f"seed=range({jobs})", f"data.root={data_root}"]
    (tmp_path / "alone").mkdir()
    (tmp_path / "storm").mkdir()
    assert server.run(words, tmp_path / "alone") == 0
    started = time.monotonic()
    assert server.run([*words, "sweep=time"], tmp_path / "alone") == 0
    longest = (time.monotonic() - started) * 2 / jobs
    num_killed = ride_out(server, words, tmp_path / "storm", kills, longest)
    assert num_killed >= kills / 4
    alone, storm = (
        results(tmp_path / name / "outputs/multirun/storm") for name in ("alone", "storm")
    )
    assert storm == alone
    assert table_of(tmp_path / "storm")
    assert table_of(tmp_path / "storm") == table_of(tmp_path / "alone")


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_faults_of_all_kinds_for_as_long_as_one_likes(
    server: ForkServer, data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``MNIST_TRAINER_SOAK_HOURS=24 make test-soak``: runs that are killed and stopped at random
    until each has come to its end; by default for a minute."""
    hours = float(os.environ.get("MNIST_TRAINER_SOAK_HOURS", "0.0167"))
    words = [*WORDS, f"data.root={data_root}"]
    assert server.run(words, tmp_path) == 0, (tmp_path / "stderr.txt").read_text()
    expected = outcome(tmp_path / "run")
    ends: collections.Counter[str] = collections.Counter()
    deadline, rng = time.monotonic() + 3600 * hours, random.Random(0)  # noqa: S311
    while time.monotonic() < deadline:
        shutil.rmtree(tmp_path / "run")
        code = None
        while code != 0:
            number = rng.choice(FAULTS)
            code = server.run(words, tmp_path, signals=[(rng.uniform(0.01, 4), number)])
            said = (tmp_path / "stderr.txt").read_text()
            assert code in (0, -9, 128 + number, -number), said
            assert "Traceback" not in said
            if code != 0:
                ends[f"{signal.Signals(number).name}, exit {code}"] += 1
            elif not (tmp_path / "run" / "result.json").exists():
                code = None
        assert differences(expected, outcome(tmp_path / "run")) == []
        ends["finished with the same bits"] += 1
    with capsys.disabled():
        print("\nsoak:", *(f"{count:6} {end}" for end, count in sorted(ends.items())), sep="\n")
    assert ends["finished with the same bits"]
