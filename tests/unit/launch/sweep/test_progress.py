"""What is told of a sweep while it runs."""

import json
from pathlib import Path

import pytest

from mnist_trainer.launch.sweep.command import how_to_resume
from mnist_trainer.launch.sweep.progress import Watcher, progress, skipped_lines
from mnist_trainer.launch.sweep.records import Sweep
from mnist_trainer.system.signals import Interruption
from tests.unit.launch.sweep.conftest import MakeJob


def test_jobs_that_ended_between_two_looks_are_counted_one_by_one(
    make_job: MakeJob, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of four jobs one had ended before; two end at a time in other processes, one later."""
    jobs = [
        make_job(0, 0.9, seed="0"),
        *(make_job(number, seed=str(number)) for number in (1, 2, 3)),
    ]
    sweep = Sweep(tmp_path / "sweep", "mnist-train", 4, jobs, ended_before=1)
    watcher = Watcher(sweep, jobs[1:], Interruption())

    def end(*numbers: int) -> None:
        for number in numbers:
            jobs[number].record.write_text(json.dumps({"attempts": 1, "pid": -1}))
            jobs[number].folder.result.write_text(jobs[0].folder.result.read_text())
        watcher._look()

    end(1, 2)
    end(3)
    counts = [
        line.partition("[")[2] for line in capsys.readouterr().out.splitlines() if "[" in line
    ]
    assert [count.partition(" jobs")[0] for count in counts] == ["2 of 4", "3 of 4", "4 of 4"]


def test_one_job_is_told_in_the_singular(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job(0, 0.9, seed="0")
    sweep = Sweep(tmp_path / "sweep", "mnist-train", 1, [job])
    assert progress(sweep) == "1 of 1 job"
    assert how_to_resume(sweep).startswith("1 of 1 job is done.")
    assert skipped_lines([job], 2, 1) == [
        "1 of 2 jobs has the settings of another: they are run once.",
        "already finished: 1 of 1 job (#0)",
    ]
