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

from tests.forked_commands import Forks
from tests.integration.test_kill_points import WORDS, outcome
from tests.integration.test_resume import differences

SWEEP = (*(w for w in WORDS if not w.startswith(("resume", "hydra"))), "sweep=storm", "-m")
LONG = ((3, 8), (8, 100))
FAULTS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(scope="module")
def server(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with Forks(tmp_path_factory.mktemp("forks"), loaded=data_root) as started:
        yield started


def table_of(printed: str) -> str:
    """The table that a sweep prints, less its times."""
    lines = [line for line in printed.splitlines() if re.match(r"\s*\d+  ", line)]
    return re.sub(r"\d+(\.\d+)? (s|min|h)\b", "TIME", "\n".join(lines))


def ride_out(
    server: Forks, words: list[str], folder: Path, kills: int, longest: float
) -> tuple[int, str]:
    """Kill a sweep so often, each time starting it again.

    Returns:
        How often a kill came in time, and what the last, undisturbed command prints.
    """
    rng, num_killed = random.Random(kills), 0  # noqa: S311
    for _ in range(kills):
        kill = (rng.uniform(0.05, longest), signal.SIGKILL)
        ended = server.run("train", *words, cwd=folder, signals=[kill], timeout=120)
        assert ended.code in (0, -9), ended.err
        num_killed += ended.code == -9
    ended = server.run("train", *words, cwd=folder, timeout=120)
    assert ended.code == 0, ended.err
    return num_killed, ended.out


def results(sweep: Path) -> dict[str, object]:
    """What the jobs of a sweep have come to, by their folders."""
    return {
        path.parent.name: {
            key: value
            for key, value in json.loads(path.read_text()).items()
            if key not in ("seconds", "throughput", "resumed_from")
        }
        for path in sweep.glob("*/result.json")
    }


@pytest.mark.parametrize(
    ("jobs", "kills"), [(3, 4), *(pytest.param(*each, marks=pytest.mark.soak) for each in LONG)]
)
def test_a_sweep_under_a_storm_of_kills_ends_with_the_same_table(
    jobs: int, kills: int, server: Forks, data_root: Path, tmp_path: Path
) -> None:
    words = [*SWEEP, f"seed=range({jobs})", f"data.root={data_root}"]
    (tmp_path / "alone").mkdir()
    (tmp_path / "storm").mkdir()
    undisturbed = server.run("train", *words, cwd=tmp_path / "alone", timeout=120)
    assert undisturbed.code == 0, undisturbed.err
    longest = undisturbed.seconds * 2 / jobs
    num_killed, printed = ride_out(server, words, tmp_path / "storm", kills, longest)
    assert num_killed >= kills / 4
    alone, storm = (
        results(tmp_path / name / "outputs/multirun/storm") for name in ("alone", "storm")
    )
    assert storm == alone
    assert table_of(printed)
    assert table_of(printed) == table_of(undisturbed.out)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_faults_of_all_kinds_for_as_long_as_one_likes(
    server: Forks, data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``MNIST_TRAINER_SOAK_HOURS=24 make test-soak``: runs that are killed and stopped at random
    until each has come to its end; by default for a minute."""
    hours = float(os.environ.get("MNIST_TRAINER_SOAK_HOURS", "0.0167"))
    words = [*WORDS, f"data.root={data_root}"]
    ended = server.run("train", *words, cwd=tmp_path)
    assert ended.code == 0, ended.err
    expected = outcome(tmp_path / "run")
    ends: collections.Counter[str] = collections.Counter()
    deadline, rng = time.monotonic() + 3600 * hours, random.Random(0)  # noqa: S311
    while time.monotonic() < deadline:
        shutil.rmtree(tmp_path / "run")
        code = None
        while code != 0:
            number = rng.choice(FAULTS)
            fault = (rng.uniform(0.01, 4), number)
            ended = server.run("train", *words, cwd=tmp_path, signals=[fault])
            code, said = ended.code, ended.err
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
