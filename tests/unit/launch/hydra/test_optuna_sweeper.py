"""The Optuna sweeper: search spaces, trials that are resumed or tried again, and refusals."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from mnist_trainer.errors import ConfigError, MachineError
from mnist_trainer.launch.hydra.launchers import OPTUNA, TARGETS, launcher_problems
from mnist_trainer.launch.hydra.optuna_sweeper import OptunaSweeper, distribution
from mnist_trainer.launch.sweep.pruning import JOURNAL, build_part, make_should_prune
from mnist_trainer.runs.metrics import Metrics

LR = "optimizer.lr=tag(log,interval(0.001,1))"
SAMPLERS = ["TPESampler", "RandomSampler"]


class FakeLauncher(Launcher):
    """Ends each job with the result that it is given, 0.5 by default."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.launched: list[list[str]] = []
        self.results: dict[int, dict[str, Any] | BaseException] = {}
        """By how many jobs have been launched before."""

    def setup(self, **_: Any) -> None:
        """Nothing is needed."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> list[JobReturn]:
        assert initial_job_idx == len(self.launched)
        returned = []
        for words in job_overrides:
            job = self.folder / f"job{len(self.launched)}"
            job.mkdir(exist_ok=True)
            completed = {"status": "completed", "validation": {"accuracy": 0.5}}
            result = self.results.get(len(self.launched), completed)
            self.launched.append(list(words))
            if isinstance(result, BaseException):
                raise result
            (job / "result.json").write_text(json.dumps(result))
            returned.append(JobReturn(status=JobStatus.COMPLETED, working_dir=str(job)))
        return returned


def make_sweeper(folder: Path, n_trials: int = 4, sampler: str = "TPESampler") -> OptunaSweeper:
    settings = {
        "sampler": {"_target_": f"optuna.samplers.{sampler}", "seed": 5},
        "pruner": None,
        "direction": "maximize",
        "n_trials": n_trials,
        "n_jobs": 1,
        "max_failure_rate": 1.0,
        "params": None,
    }
    folder.mkdir(exist_ok=True)
    hydra = {"sweeper": settings, "sweep": {"dir": str(folder)}}
    return OptunaSweeper(OmegaConf.create({"hydra": hydra}), FakeLauncher(folder))


def launched(sweeper: OptunaSweeper) -> FakeLauncher:
    assert isinstance(sweeper.launcher, FakeLauncher)
    return sweeper.launcher


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("interval(0.1,1)", FloatDistribution(0.1, 1)),
        ("tag(log,interval(1e-4,1))", FloatDistribution(1e-4, 1, log=True)),
        ("int(interval(1,9))", IntDistribution(1, 9)),
        ("tag(int,interval(1,9))", IntDistribution(1, 9)),
        ("tag(int,log,interval(1,64))", IntDistribution(1, 64, log=True)),
        ("range(1,5)", IntDistribution(1, 4)),
        ("range(1,10,3)", IntDistribution(1, 7, step=3)),
        ("choice(a,b)", CategoricalDistribution(["a", "b"])),
        ("0.1,0.2", CategoricalDistribution(["0.1", "0.2"])),
        ("[1,2],[3]", CategoricalDistribution(["[1,2]", "[3]"])),
    ],
)
def test_overrides_become_distributions(value: str, expected: object) -> None:
    override = OverridesParser.create().parse_override(f"key={value}")
    assert distribution(override) == expected


@pytest.mark.parametrize("value", ["interval(1,0)", "tag(log,interval(0,1))"])
def test_impossible_interval_is_a_config_error(value: str) -> None:
    with pytest.raises(ConfigError, match="key="):
        distribution(OverridesParser.create().parse_override(f"key={value}"))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_larger_study_goes_on_and_new_study_repeats(sampler: str, tmp_path: Path) -> None:
    proposed = {}
    for name in ("one", "other"):
        make_sweeper(tmp_path / name, 2, sampler).sweep([LR])
        again = make_sweeper(tmp_path / name, 4, sampler)
        again.sweep([LR])
        proposed[name] = list(launched(again).launched)
    assert len({words[0] for words in proposed["one"]}) == 4
    assert proposed["one"] == proposed["other"]


def test_trial_cut_short_keeps_its_overrides(tmp_path: Path) -> None:
    sweeper = make_sweeper(tmp_path)
    launched(sweeper).results[2] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        sweeper.sweep([LR, "seed=3"])
    cut_short = launched(sweeper).launched[2]
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"torn')
    again = make_sweeper(tmp_path)
    again.sweep([LR, "seed=3"])
    assert launched(again).launched[:3] == launched(sweeper).launched
    assert launched(again).launched[2] == cut_short
    assert [trial.state for trial in again.study.trials] == [TrialState.COMPLETE] * 4
    assert all(words[1] == "seed=3" for words in launched(again).launched)


def test_failed_trial_is_told_and_tried_again(tmp_path: Path) -> None:
    sweeper = make_sweeper(tmp_path, 3)
    launched(sweeper).results[1] = {"status": "diverged", "exit_code": 5}
    sweeper.sweep([LR])
    assert [trial.state.name for trial in sweeper.study.trials] == ["COMPLETE", "FAIL", "COMPLETE"]
    again = make_sweeper(tmp_path, 3)
    again.sweep([LR])
    assert launched(again).launched[2] == launched(sweeper).launched[1]
    assert again.study.trials[-1].state is TrialState.COMPLETE
    assert len(launched(again).launched) == 3


def test_pruned_trials_count(tmp_path: Path) -> None:
    sweeper = make_sweeper(tmp_path, 3)
    launched(sweeper).results[1] = {"status": "pruned", "validation": {"accuracy": 0.1}}
    sweeper.sweep([LR])
    assert sweeper.study.trials[1].state is TrialState.PRUNED
    again = make_sweeper(tmp_path, 3)
    again.sweep([LR])
    assert len(again.study.trials) == 3
    assert len(launched(again).launched) == 3


def test_search_without_completed_trial_is_an_error(tmp_path: Path) -> None:
    sweeper = make_sweeper(tmp_path, 2)
    launched(sweeper).results = {n: {"status": "failed", "exit_code": 1} for n in range(2)}
    with pytest.raises(MachineError, match="none of the 2 trials was completed"):
        sweeper.sweep([LR])


def test_params_are_swept_unless_typed(tmp_path: Path) -> None:
    sweeper = make_sweeper(tmp_path, 1)
    sweeper.settings.params = {"optimizer.lr": "interval(0.1,0.2)", "seed": "1,2"}
    sweeper.sweep(["seed=7"])
    (words,) = launched(sweeper).launched
    assert words[1] == "seed=7"
    assert 0.1 <= float(words[0].partition("=")[2]) <= 0.2


def test_old_study_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "optuna.sqlite").touch()
    make_sweeper(tmp_path, 1).sweep([LR])
    assert "begins anew" in capsys.readouterr().out


def test_bad_sampler_option_is_a_config_error() -> None:
    section = OmegaConf.create({"sampler": {"_target_": "optuna.samplers.TPESampler", "nope": 1}})
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.sampler.*nope"):
        build_part(section, "sampler")


def test_job_reports_to_its_trial_and_stops(tmp_path: Path) -> None:
    pruner = {"_target_": "optuna.pruners.ThresholdPruner", "lower": 0.3}
    sweeper = make_sweeper(tmp_path, 2)
    launched(sweeper).results[1] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        sweeper.sweep([LR])
    section = OmegaConf.create({"_target_": OPTUNA, "pruner": pruner})
    should_prune = make_should_prune(tmp_path, section, launched(sweeper).launched[1])
    assert should_prune is not None
    assert not should_prune(1, Metrics(1.0, 9, 10))
    assert should_prune(2, Metrics(1.0, 1, 10))
    assert sweeper.study.trials[1].intermediate_values == {1: 0.9, 2: 0.1}
    assert make_should_prune(tmp_path, section, launched(sweeper).launched[0]) is None
    grid = OmegaConf.create({"_target_": "hydra._internal.core_plugins.BasicSweeper"})
    assert make_should_prune(tmp_path / "grid", grid, [LR]) is None


@pytest.mark.parametrize(
    ("key", "said"),
    [("storage", "optuna.journal"), ("study_name", "sweep=NAME"), ("search_space", "overrides")],
)
def test_settings_of_old_sweeper_are_refused(key: str, said: str) -> None:
    (problem,) = launcher_problems({"sweeper": {"_target_": OPTUNA, key: "sqlite:///x"}})
    assert f"hydra.sweeper.{key}=sqlite:///x" in problem
    assert said in problem


def test_every_admitted_part_of_optuna_exists() -> None:
    for target in TARGETS:
        if target.startswith("optuna."):
            _, module, name = target.split(".")
            assert hasattr(getattr(optuna, module), name)
