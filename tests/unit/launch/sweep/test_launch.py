"""What reaches the launcher that runs the jobs, and what the sweeper hears of them."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf

from mnist_trainer.errors import ConfigError, DivergedError, MachineError, RefusedError
from mnist_trainer.launch.command import resolve_command
from mnist_trainer.launch.options import parse_command_line
from mnist_trainer.launch.overrides import grid
from mnist_trainer.launch.sweep.launch import ResumableLauncher
from mnist_trainer.launch.sweep.records import Job, Sweep, read_jobs, record_failure, start_attempt


class Pretended(Launcher):
    """Runs nothing; writes what a job would have written."""

    def __init__(self, sweep: Sweep, act: Callable[[Job], None]) -> None:
        self.sweep = sweep
        self.act = act
        self.launched: list[list[str]] = []
        self.numbers: list[int] = []

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None: ...

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> list[JobReturn]:
        self.numbers.append(initial_job_idx)
        self.launched.append([words[-1].partition("=")[2].strip('"') for words in job_overrides])
        for name in self.launched[-1]:
            self.act(next(job for job in self.sweep.jobs if job.folder.path.name == name))
        return []


def complete(job: Job) -> None:
    job.folder.path.mkdir(exist_ok=True)
    start_attempt(job)
    scores = {"accuracy": int(job.settings.get("seed", "1")) / 10, "loss": 1.0}
    result = {
        "status": "completed",
        "identity": job.identity,
        "validation": scores,
        "test": scores,
        "seconds": {"total": 1.0},
    }
    job.folder.result.write_text(json.dumps(result))


Launch = Callable[..., tuple[list[float | None], Pretended, Sweep]]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Start a command in the folder of a sweep."""

    def started(
        *words: str, act: Callable[[Job], None] = complete
    ) -> tuple[list[float | None], Pretended, Sweep]:
        command = resolve_command(parse_command_line(["-m", *words]))
        config = command.loader.compose([*command.words, "hydra.mode=MULTIRUN"], RunMode.MULTIRUN)
        sweep = Sweep(tmp_path, "mnist-train", 0)
        inner = Pretended(sweep, act)
        launcher = ResumableLauncher(inner, sweep, command, config)
        (batch,) = grid(config, list(config.hydra.overrides.task))
        sweep.total = len(batch)
        returned: list[Any] = [value_of(each) for each in launcher.launch(batch, 0)]
        return returned, inner, sweep

    yield started
    GlobalHydra.instance().clear()


def value_of(returned: JobReturn) -> Any:
    """As a sweeper gets it: None where to look at it raises, which a sweeper takes for a failed
    trial."""
    try:
        return returned.return_value
    except ValueError:
        assert returned.status is JobStatus.FAILED
        return None


def test_finished_jobs_are_not_launched_but_answered_from_their_records(launch: Launch) -> None:
    assert launch("seed=1,2")[0] == [0.1, 0.2]
    values, inner, _ = launch("seed=1,2")
    assert values == [0.1, 0.2]
    assert inner.launched == []
    values, inner, _ = launch("seed=0,1,2,3", "model=cnn", "trainer.epochs=5")
    assert values == [0.0, 0.1, 0.2, 0.3]
    # Numbers 0 and 1 are taken; the new jobs get their own place where it is free.
    assert inner.launched == [["2-seed=0", "3-seed=3"]]


def test_a_job_that_was_killed_before_its_record_keeps_its_number(
    launch: Launch, tmp_path: Path
) -> None:
    """Hydra makes the folder, its own files and the log before the job writes its record."""
    (tmp_path / "0-seed=1" / ".hydra").mkdir(parents=True)
    for name in ("train.log", ".job.json.1f.tmp"):
        (tmp_path / "0-seed=1" / name).touch()
    (tmp_path / "1-notes").mkdir()
    (tmp_path / "1-notes" / "mine.txt").touch()
    assert launch("seed=1,2")[1].launched == [["0-seed=1", "2-seed=2"]]


def test_of_two_jobs_that_do_the_same_one_is_launched_and_both_are_answered(launch: Launch) -> None:
    values, inner, sweep = launch("seed=1", "optimizer.lr=0.1,1e-1,0.2")
    assert values == [0.1, 0.1, 0.1]
    assert len(inner.launched[0]) == 2
    assert sweep.total == 2


def test_a_failure_is_not_a_number_and_is_launched_again(launch: Launch) -> None:
    def diverge(job: Job) -> None:
        job.folder.path.mkdir(exist_ok=True)
        start_attempt(job)
        record_failure(job, DivergedError("x"), 0.0)

    values, _, _ = launch("seed=1,2", act=diverge)
    assert values == [None, None]
    values, inner, _ = launch("seed=1,2")
    assert values == [0.1, 0.2]
    assert inner.launched == [["0-seed=1", "1-seed=2"]]


def test_what_may_not_run_ends_the_sweep_before_its_first_job(launch: Launch) -> None:
    with pytest.raises(RefusedError):
        launch("model._target_=mnist_trainer.models.Linear,os.system")


@pytest.mark.parametrize("content", [None, "", '{"number": 1', '{"number": 1}'])
def test_a_finished_job_whose_record_is_damaged_is_known_by_its_result(
    content: str | None, launch: Launch
) -> None:
    _, _, sweep = launch("seed=1,2")
    record = sweep.jobs[1].record
    if content is None:
        record.unlink()
    else:
        record.write_text(content)
    values, inner, again = launch("seed=1,2")
    assert values == [0.1, 0.2]
    assert inner.launched == []
    assert again.jobs == sweep.jobs
    assert read_jobs(sweep.folder) == sweep.jobs


def test_settings_outside_the_identity_are_known_by_the_folder(launch: Launch) -> None:
    _, _, sweep = launch("seed=1", "name=a,b")
    for job in sweep.jobs:
        job.record.unlink()
    _, inner, again = launch("seed=1", "name=b,a")
    assert inner.launched == []
    assert [job.folder for job in again.jobs] == [job.folder for job in reversed(sweep.jobs)]


def test_a_folder_that_says_nothing_of_its_job_is_named(
    launch: Launch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, sweep = launch("seed=1,2")
    torn, lost = sweep.jobs
    torn.record.write_text('{"number"')
    torn.folder.result.unlink()
    lost.record.unlink()
    lost.folder.result.write_text('{"status": "failed"}')
    capsys.readouterr()
    _, inner, _ = launch("seed=1,2")
    assert inner.launched == [["2-seed=1", "3-seed=2"]]
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(",")[0] for line in said] == [
        f"{torn.folder}: job.json cannot be read",
        f"{lost.folder}: job.json is missing",
    ]


def test_an_impossible_job_has_the_traceback_in_its_log(launch: Launch) -> None:
    _, inner, sweep = launch("trainer.batch_size=0,64", "seed=1")
    assert inner.launched == [["1-trainer.batch_size=64"]]
    log = sweep.jobs[0].folder.log.read_text()
    assert "Traceback (most recent call last)" in log
    assert "ConfigError: trainer.batch_size=0" in log
    launch("trainer.batch_size=0,64", "seed=1")
    assert sweep.jobs[0].folder.log.read_text().startswith(log), (
        "what earlier tries have left stays"
    )


def test_a_sweep_whose_configuration_names_no_values_is_refused() -> None:
    config = OmegaConf.create(
        {"hydra": {"sweeper": {"params": {"seed": "range(0)"}, "max_batch_size": None}}}
    )
    with pytest.raises(ConfigError, match="no values"):
        list(grid(config, ["model=linear"]))


def test_where_a_process_dies_the_others_are_launched_again(launch: Launch) -> None:
    died: list[int] = []

    def die_once(job: Job) -> None:
        if job.settings["seed"] == "2" and not died:
            died.append(2)
            job.folder.path.mkdir()
            start_attempt(job)
            raise BrokenProcessPool
        complete(job)

    values, inner, sweep = launch("seed=1,2,3", act=die_once)
    assert inner.launched == [["0-seed=1", "1-seed=2", "2-seed=3"], ["2-seed=3"]]
    assert values[0::2] == [0.1, 0.3]
    assert values[1] is None
    assert "Its process died" in (sweep.jobs[1].result() or {})["message"]

    def die(_: Job) -> None:
        raise BrokenProcessPool

    with pytest.raises(MachineError):
        launch("seed=4,5", act=die)
