"""The study of a search, as an Optuna journal in the sweep's folder, and the pruner of its jobs.

Optuna is imported only where a sweep uses it; no torch here.
"""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.hydra.launchers import OPTUNA

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import JournalStorage

    from mnist_trainer.runs.metrics import Metrics

JOURNAL = "optuna.journal"
STUDY = "mnist-train"
WORDS = "overrides"
"""Attribute of a trial: the overrides of its job, which say which trial a job is."""


def open_storage(sweep: Path) -> "JournalStorage":
    """The journal in the folder of a sweep, which is made where there is none."""
    import optuna.storages.journal

    optuna.logging.set_verbosity(logging.WARNING)
    backend = optuna.storages.journal.JournalFileBackend(str(sweep / JOURNAL))
    return optuna.storages.JournalStorage(backend)


def build_part(sweeper: DictConfig, part: str, **options: Any) -> Any:
    """The sampler or pruner of a configuration; None where it is switched off.

    Raises:
        ConfigError: it refuses its options.
    """
    if sweeper.get(part) is None:
        return None
    try:
        with warnings.catch_warnings():
            # Optuna tells of experimental options.
            warnings.simplefilter("ignore")
            return instantiate(sweeper[part], **options)
    except InstantiationException as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise ConfigError(
            f"hydra.sweeper.{part}: {sweeper[part].get('_target_')} refuses its options:"
            f" {reason}\nIt takes the arguments of that class; leave one out with:"
            f" '~hydra.sweeper.{part}.KEY'"
        ) from error


def make_should_prune(
    sweep: Path, sweeper: DictConfig, words: list[str]
) -> "Callable[[int, Metrics], bool] | None":
    """Report each epoch of a job to its trial, and ask the pruner whether to stop.

    Args:
        words: the overrides of the job.

    Returns:
        A function of the epoch and its validation metrics; None where the job is no trial.
    """
    if sweeper.get("_target_") != OPTUNA:
        return None
    import optuna

    storage = open_storage(sweep)
    study: Study = optuna.load_study(
        study_name=STUDY,
        storage=storage,
        # What is drawn is drawn by the sweeper.
        sampler=optuna.samplers.RandomSampler(),
        pruner=build_part(sweeper, "pruner") or optuna.pruners.NopPruner(),
    )
    running = study.get_trials(states=(optuna.trial.TrialState.RUNNING,))
    found = next((each for each in running if each.user_attrs.get(WORDS) == words), None)
    if found is None:
        return None
    study_id = storage.get_study_id_from_name(STUDY)
    trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, found.number)
    trial = optuna.trial.Trial(study, trial_id)

    def should_prune(epoch: int, validation: "Metrics") -> bool:
        # A resumed job may repeat an epoch.
        if epoch not in storage.get_trial(trial_id).intermediate_values:
            trial.report(validation.accuracy, epoch)
        return trial.should_prune()

    return should_prune
