"""Optuna's study of a sweep: a thin bridge between its sweeper and the versions of today.

Hydra's sweeper asks for Optuna 2.10. That notes the version of its tables in a transaction that SQLAlchemy 2 no longer
commits by itself, and then does not find it; everything else works. So the note is made beforehand.
"""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from mnist_trainer.errors import MachineError

SQLITE = "sqlite:///"
TABLES_OF_2_10 = "v2.6.0.a"
"""Alembic's name for the tables of Optuna 2.10."""


class StudySweeper(Sweeper):
    """Hydra's Optuna sweeper, with a storage that opens, and a message where no trial came to anything."""

    def __init__(self, sweeper: Any, storage: str | None, study_name: str | None) -> None:
        """Args:
        sweeper: Hydra's own.
        """
        self.sweeper = sweeper
        self.storage = storage
        self.study_name = study_name

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.sweeper.setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> None:
        """Raises:
        MachineError: no trial was completed.
        """
        import optuna

        optuna.logging.set_verbosity(logging.WARNING)
        # The sweep itself tells which job failed, and why.
        logging.getLogger("hydra_plugins.hydra_optuna_sweeper").setLevel(logging.ERROR)
        if self.storage is not None and self.storage.startswith(SQLITE):
            note_version(Path(self.storage.removeprefix(SQLITE)))
        try:
            self.sweeper.sweep(arguments)
        except ValueError as error:
            # What Optuna says where there is no best trial; whether that is so is asked of the study itself.
            if self.storage is None or self.study_name is None:
                raise
            trials = optuna.load_study(study_name=self.study_name, storage=self.storage).trials
            if any(trial.state == optuna.trial.TrialState.COMPLETE for trial in trials):
                raise
            raise MachineError(
                f"hydra/sweeper=optuna: none of the {len(trials)} trials was completed, so there is no best one."
                " Each has its train.log in the folder of the sweep."
            ) from error


def note_version(path: Path) -> None:
    """Note the version of Optuna's tables in a database, where it is not noted yet; the file is made where there is none."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        if database.execute("SELECT 1 FROM alembic_version").fetchone() is None:
            database.execute("INSERT INTO alembic_version VALUES (?)", (TABLES_OF_2_10,))
