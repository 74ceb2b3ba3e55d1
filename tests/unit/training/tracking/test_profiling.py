"""A profile of some steps: what it leaves, and that it changes nothing."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.result import Result
from mnist_trainer.training.run import train
from mnist_trainer.training.tracking.profiling import TOP
from tests.conftest import Compose

Run = Callable[..., Result]


@pytest.fixture
def run(compose: Compose, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def trained(folder: str, *words: str) -> Result:
        (tmp_path / folder).mkdir()
        config = compose(
            "debug=profile",
            "model=fcn",
            "device=cpu",
            "tracker=none",
            f"data.root={data_root}",
            *words,
        )
        return train(config, RunFolder(tmp_path / folder), time.perf_counter())

    return trained


def test_a_profile_leaves_a_trace_and_the_dearest_operators(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("run")
    trace = json.loads((tmp_path / "run" / "profile" / "trace.json").read_text())
    names = [event.get("name") for event in trace["traceEvents"]]
    assert names.count("aten::_fused_sgd_") == 20
    table = (tmp_path / "run" / "profile" / "operators.txt").read_text()
    title, head, *rows, arithmetic = table.splitlines()
    assert "20 steps" in title
    assert head.split()[-1] == "share"
    assert len(rows) == TOP == 10
    shares = [float(row.split()[-1].rstrip("%")) for row in rows]
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 100
    assert "MFLOP" in arithmetic
    assert "roofline" in arithmetic
    assert table.strip() in capsys.readouterr().out


def test_profiling_changes_nothing(run: Run, tmp_path: Path) -> None:
    profiled = run("profiled", "model.dropout=0.2", "transforms=augment")
    plain = run("plain", "model.dropout=0.2", "transforms=augment", "tracker.profile_steps=null")
    assert profiled.weights_sha256 == plain.weights_sha256
    assert not (tmp_path / "plain" / "profile").exists()


def test_a_run_that_ends_sooner_has_a_profile_of_what_there_was(run: Run, tmp_path: Path) -> None:
    run("run", "data.train_limit=640")  # Ten steps, of which five are skipped.
    assert "5 steps" in (tmp_path / "run" / "profile" / "operators.txt").read_text()
