"""A sweeper that lets Optuna choose the settings of each job.

The study is a journal in the folder of the sweep. Each trial holds the overrides of its job, so a
sweep that was killed finds its trials and their jobs again.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf

from mnist_trainer.errors import ConfigError, ExitCode, MachineError
from mnist_trainer.launch.overrides import parse_overrides
from mnist_trainer.launch.sweep.progress import print_line
from mnist_trainer.launch.sweep.pruning import JOURNAL, STUDY, WORDS, build_part, open_storage
from mnist_trainer.runs.result import Status, read_result

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

OLD_STUDY = "optuna.sqlite"
"""The study of version 0.1, written by Optuna 2."""
SUMMARY = "optimization_results.yaml"


class OptunaSweeper:
    """Ask the study for trials, launch their jobs, and tell the study what came of them."""

    def __init__(
        self, config: DictConfig, launcher: Launcher, loader: ConfigLoader | None = None
    ) -> None:
        """Args:
        config: the composed configuration of the sweep.
        launcher: runs the jobs that are not finished yet.
        loader: knows the choices that a glob stands for.
        """
        self.settings = config.hydra.sweeper
        self.folder = Path(config.hydra.sweep.dir)
        self.launcher = launcher
        self.loader = loader
        self.num_launched = 0

    def sweep(self, arguments: list[str]) -> None:
        """Run trials until ``n_trials`` have been completed or pruned, or were tried and failed.

        Raises:
            ConfigError: the sampler, the pruner or the search space is wrong.
            MachineError: no trial was completed, or too many of a batch failed.
        """
        self.overrides = self._parse(arguments)
        self.space = {
            override.get_key_element(): distribution(override)
            for override in self.overrides
            if override.is_sweep_override()
        }
        self.study = self._open_study()
        unfinished = self._resume()
        size = max(1, int(self.settings.n_jobs))
        num_left = int(self.settings.n_trials) - self._num_ended()
        while num_left > 0:
            batch = [
                unfinished.pop(0) if unfinished else self._ask() for _ in range(min(size, num_left))
            ]
            num_left -= len(batch)
            self._run(batch)
        self._write_summary()

    def _parse(self, arguments: list[str]) -> list[Override]:
        """The overrides of ``hydra.sweeper.params`` and of the command line, which prevail."""
        given: Any = OmegaConf.to_container(self.settings.params or OmegaConf.create())
        words = [*(f"{key}={value}" for key, value in given.items()), *arguments]
        parsed = parse_overrides(words, self.loader)
        return list({each.get_key_element(): each for each in parsed}.values())

    def _open_study(self) -> "Study":
        """The study of the sweep; a sampler's seed goes on with the number of its trials."""
        import optuna

        journal = self.folder / JOURNAL
        is_new = not journal.exists()
        pruner = build_part(self.settings, "pruner") or optuna.pruners.NopPruner()
        sampler = build_part(self.settings, "sampler")
        if is_new and (self.folder / OLD_STUDY).exists():
            print_line(
                f"{OLD_STUDY} is the study of an older version and is not read: the search begins"
                f" anew in {JOURNAL}. Jobs that are finished are not run again."
            )
        if not is_new:
            repair_journal(journal)
        study = optuna.create_study(
            storage=open_storage(self.folder),
            sampler=sampler,
            pruner=pruner,
            study_name=STUDY,
            direction=self.settings.direction,
            load_if_exists=True,
        )
        seed = (self.settings.sampler or {}).get("seed")
        if study.trials and isinstance(seed, int):
            study.sampler = build_part(self.settings, "sampler", seed=seed + len(study.trials))
        return study

    def _words(self, params: dict[str, Any]) -> list[str]:
        """The overrides of the job with these parameters."""
        keyed = ((override.get_key_element(), override) for override in self.overrides)
        return [
            f"{key}={params[key]}" if key in self.space else str(override.input_line)
            for key, override in keyed
        ]

    def _own_trials(self) -> list["FrozenTrial"]:
        """Trials of this command, whose overrides are those it would give them now."""
        return [
            trial
            for trial in self.study.trials
            if trial.params.keys() == self.space.keys()
            and trial.user_attrs.get(WORDS) == self._words(trial.params)
        ]

    def _num_ended(self) -> int:
        from optuna.trial import TrialState

        ended = (TrialState.COMPLETE, TrialState.PRUNED)
        return sum(trial.state in ended for trial in self._own_trials())

    def _resume(self) -> list["FrozenTrial"]:
        """Show the launcher the finished trials, so that their jobs are counted and in the table.

        Returns:
            Trials left to run: those cut short, and those that failed once more.
        """
        from optuna.trial import TrialState, create_trial

        own = self._own_trials()
        numbers = {trial.number for trial in own}
        for trial in self.study.trials:
            if trial.state is TrialState.RUNNING and trial.number not in numbers:
                self.study.tell(trial.number, state=TrialState.FAIL)
        ended = [each for each in own if each.state in (TrialState.COMPLETE, TrialState.PRUNED)]
        if ended:
            self._launch(ended)
        running = [trial for trial in own if trial.state is TrialState.RUNNING]
        known = [trial.user_attrs[WORDS] for trial in (*ended, *running)]
        for trial in own:
            if trial.state is TrialState.FAIL and trial.user_attrs[WORDS] not in known:
                known.append(trial.user_attrs[WORDS])
                again = create_trial(
                    state=TrialState.RUNNING,
                    params=trial.params,
                    distributions=trial.distributions,
                    user_attrs=trial.user_attrs,
                )
                self.study.add_trial(again)
                running.append(self.study.trials[-1])
        return running

    def _ask(self) -> "FrozenTrial":
        """A new trial, its overrides noted before its job begins."""
        trial = self.study.ask(self.space)
        trial.set_user_attr(WORDS, self._words(trial.params))
        return self.study.trials[trial.number]

    def _launch(self, trials: list["FrozenTrial"]) -> list[JobReturn]:
        batch = [list(trial.user_attrs[WORDS]) for trial in trials]
        first = self.num_launched
        self.num_launched += len(batch)
        return list(self.launcher.launch(batch, initial_job_idx=first))

    def _run(self, batch: list["FrozenTrial"]) -> None:
        """Launch the jobs of the trials, and tell the study how each ended."""
        from optuna.trial import TrialState

        num_failed = 0
        for trial, returned in zip(batch, self._launch(batch), strict=True):
            result: Any = read_result(Path(str(returned.working_dir)) / "result.json") or {}
            status, validation = result.get("status"), result.get("validation")
            if status == Status.COMPLETED and validation:
                self.study.tell(trial.number, validation["accuracy"])
            elif status == Status.PRUNED:
                self.study.tell(trial.number, state=TrialState.PRUNED)
            elif status != Status.INTERRUPTED and result.get("exit_code") != ExitCode.ENVIRONMENT:
                self.study.tell(trial.number, state=TrialState.FAIL)
                num_failed += 1
        if num_failed / len(batch) > self.settings.max_failure_rate:
            raise MachineError(
                f"hydra/sweeper=optuna: {num_failed} of {len(batch)} trials failed, more than"
                f" hydra.sweeper.max_failure_rate={self.settings.max_failure_rate}. Each has its"
                " train.log in the folder of the sweep."
            )

    def _write_summary(self) -> None:
        """Write the best trial to ``optimization_results.yaml``.

        Raises:
            MachineError: there is none.
        """
        from optuna.trial import TrialState

        if not self.study.get_trials(states=(TrialState.COMPLETE,)):
            raise MachineError(
                f"hydra/sweeper=optuna: none of the {len(self.study.trials)} trials was completed,"
                " so there is no best one. Each has its train.log in the folder of the sweep."
            )
        best = self.study.best_trial
        summary = {"name": "optuna", "best_params": best.params, "best_value": best.value}
        OmegaConf.save(OmegaConf.create(summary), self.folder / SUMMARY)


def distribution(override: Override) -> "BaseDistribution":
    """What a swept override draws from.

    Raises:
        ConfigError: it has no values, or is a shuffled range.
    """
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    sweep = override.value()
    is_log = "log" in getattr(sweep, "tags", ())
    try:
        if isinstance(sweep, IntervalSweep) and sweep.start is not None and sweep.end is not None:
            ends = (sweep.start, sweep.end)
            if "int" in sweep.tags or all(isinstance(end, int) for end in ends):
                return IntDistribution(int(sweep.start), int(sweep.end), log=is_log)
            return FloatDistribution(float(sweep.start), float(sweep.end), log=is_log)
        if isinstance(sweep, RangeSweep) and not sweep.shuffle:
            values = list(sweep.range())
            step = abs(sweep.step)
            if all(isinstance(value, int) for value in values):
                return IntDistribution(int(min(values)), int(max(values)), step=int(step))
            return FloatDistribution(float(min(values)), float(max(values)), step=float(step))
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    except ValueError as error:
        raise ConfigError(
            f"{override.input_line}: nothing can be drawn from it: {str(error).rstrip('.')}. Give"
            " an interval (interval(0.001,1)), a range (range(1,5)) or values (0.01,0.1)"
        ) from error


def repair_journal(journal: Path) -> None:
    """Drop the lock and the torn last line that a killed writer has left."""
    journal.with_name(f"{journal.name}.lock").unlink(missing_ok=True)
    content = journal.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with journal.open("r+b") as file:
            file.truncate(whole)
