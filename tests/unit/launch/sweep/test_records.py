"""What lies in the folder of a job says what is to be done with it."""

import json
from pathlib import Path

import pytest

from mnist_trainer.errors import DivergedError, InterruptedRunError, MachineError
from mnist_trainer.launch.sweep.records import (
    Job,
    Sweep,
    is_finished,
    prepare_retry,
    read_jobs,
    read_sweep,
    record_failure,
    start_attempt,
)
from mnist_trainer.runs.result import Status
from tests.unit.launch.sweep.conftest import MakeJob


def with_checkpoint(job: Job) -> Job:
    job.folder.checkpoints.mkdir()
    (job.folder.checkpoints / "last.pt").write_bytes(b"weights")
    return job


@pytest.mark.parametrize(
    ("error", "status", "goes_on"),
    [
        (DivergedError("too large a rate"), Status.DIVERGED, False),
        (LookupError("a mistake in a class"), Status.FAILED, False),
        (MachineError("the disk is full"), Status.FAILED, True),
        (InterruptedRunError("asked to stop", 15), Status.INTERRUPTED, True),
    ],
)
def test_who_goes_on_and_who_begins_anew(
    error: BaseException, status: Status, goes_on: bool, make_job: MakeJob
) -> None:
    job = make_job(0, seed="0")
    assert job.status() is Status.WAITING
    assert not start_attempt(job)
    with_checkpoint(job)
    record_failure(job, error, 1.5)
    assert job.status() is status
    assert not is_finished(job)
    prepare_retry(job)
    assert start_attempt(job) is goes_on
    assert (job.folder.checkpoints / "last.pt").exists() is goes_on
    assert job.attempts() == 2


def test_a_job_that_was_killed_goes_on(make_job: MakeJob) -> None:
    job = make_job(0, seed="0")
    start_attempt(job)
    with_checkpoint(job)
    assert job.status() is Status.INTERRUPTED
    prepare_retry(job)
    assert start_attempt(job)


def test_a_job_that_someone_trained_on_with_other_settings_is_not_that_job_any_more(
    make_job: MakeJob,
) -> None:
    job = make_job(0, 0.9, seed="0")
    assert is_finished(job)
    result = json.loads(job.folder.result.read_text())
    job.folder.result.write_text(json.dumps({**result, "identity": "of another"}))
    assert not is_finished(job)


def test_what_is_no_record_is_passed_over(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job(7, seed="0")
    start_attempt(job)
    for name, text in (("torn", '{"number": 1'), ("list", "[]"), ("foreign", '{"number": "x"}')):
        (tmp_path / "sweep" / name).mkdir()
        (tmp_path / "sweep" / name / "job.json").write_text(text)
    (tmp_path / "sweep" / "empty").mkdir()
    assert read_jobs(tmp_path / "sweep") == [job]


def test_a_sweep_is_read_as_it_was_written(make_job: MakeJob, tmp_path: Path) -> None:
    sweep = Sweep(tmp_path / "sweep", "mnist-train -m seed=0,1", 2, started=5.0)
    jobs = [make_job(number, seed=str(number)) for number in range(2)]
    sweep.add(jobs, num_ended=1, num_repeated=0)
    assert read_sweep(sweep.folder) == sweep
    assert sweep.is_here
