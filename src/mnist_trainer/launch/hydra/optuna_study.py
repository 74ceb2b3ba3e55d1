"""Optuna's study of a sweep: a thin bridge between its sweeper and the versions of today.

Hydra's sweeper asks for Optuna 2.10. That notes the version of its tables in a transaction that
SQLAlchemy 2 no longer commits by itself, and then does not find it; everything else works. So the
note is made beforehand.
"""

import copy
import logging
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

from mnist_trainer.errors import MachineError

if TYPE_CHECKING:
    from optuna import Study

SQLITE = "sqlite:///"
TABLES_OF_2_10 = "v2.6.0.a"
"""Alembic's name for the tables of Optuna 2.10."""


class StudySweeper(Sweeper):
    """Hydra's Optuna sweeper, with a storage that opens, and a message where no trial came to
    anything."""

    def __init__(self, sweeper: Any, storage: str | None, study_name: str | None) -> None:
        """Args:
        sweeper: Hydra's own.
        """
        self.sweeper = sweeper
        self.storage = storage
        self.study_name = study_name
        self.is_own = False
        """Whether the study is of this sweep alone."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.sweeper.setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.is_own = str(self.storage).startswith(f"{SQLITE}{config.hydra.sweep.dir}/")

    def sweep(self, arguments: list[str]) -> None:
        """Raises:
        MachineError: no trial was completed.
        """
        import optuna

        optuna.logging.set_verbosity(logging.WARNING)
        study = find_study(self.storage, self.study_name)
        if study and self.is_own:
            propose_again(study)
        # The sweep itself tells which job failed, and why.
        logging.getLogger("hydra_plugins.hydra_optuna_sweeper").setLevel(logging.ERROR)
        try:
            self.sweeper.sweep(arguments)
        except ValueError as error:
            # What Optuna says where there is no best trial; whether that is so is asked of the
            # study itself.
            if self.storage is None or self.study_name is None:
                raise
            trials = optuna.load_study(study_name=self.study_name, storage=self.storage).trials
            if any(trial.state == optuna.trial.TrialState.COMPLETE for trial in trials):
                raise
            raise MachineError(
                f"hydra/sweeper=optuna: none of the {len(trials)} trials was completed, so there is"
                " no best one. Each has its train.log in the folder of the sweep."
            ) from error


def going_on(sweeper: DictConfig) -> DictConfig:
    """The configuration of a sweeper, with a seed of the sampler for the trials that are next.

    A sampler begins its random numbers anew in each command, and would propose to the same command
    what it proposed the first time. So the number of trials that the study holds is added to its
    seed: a study begins the same every time, and goes on otherwise than it began.
    """
    study = find_study(sweeper.get("storage"), sweeper.get("study_name"))
    sampler = sweeper.get("sampler")
    seed = sampler.get("seed") if isinstance(sampler, DictConfig) else None
    if study is None or not isinstance(seed, int):
        return sweeper
    moved = copy.deepcopy(sweeper)
    with read_write(moved), open_dict(moved):
        moved.sampler.seed = seed + len(study.trials)
    return moved


def find_study(storage: str | None, study_name: str | None) -> "Study | None":
    """The study that a sweep goes on with; None where it begins one. A database of SQLite is made
    fit for Optuna."""
    import optuna

    if storage is None:
        return None
    if storage.startswith(SQLITE):
        note_version(Path(storage.removeprefix(SQLITE)))
    if study_name is None:
        return None
    try:
        return optuna.load_study(study_name=study_name, storage=storage)
    except KeyError:  # There is no study of this name yet.
        return None


def propose_again(study: "Study") -> None:
    """Have the trials that a stop or a kill has cut short proposed once more, so that their jobs
    are gone on with.

    Only for a study of the sweep's own: one command works on a sweep at a time, so none of its
    trials is under way.
    """
    import optuna

    for trial in study.trials:
        if trial.state is optuna.trial.TrialState.RUNNING:
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            if trial.params:
                with warnings.catch_warnings():
                    # Optuna calls it experimental.
                    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                    study.enqueue_trial(trial.params)


def note_version(path: Path) -> None:
    """Note the version of Optuna's tables in a database, where it is not noted yet; the file is
    made where there is none."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY"
            " KEY)"
        )
        if database.execute("SELECT 1 FROM alembic_version").fetchone() is None:
            database.execute("INSERT INTO alembic_version VALUES (?)", (TABLES_OF_2_10,))
