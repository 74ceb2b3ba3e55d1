"""A study that is gone on with: what is proposed next."""

from pathlib import Path

import optuna
import pytest
from omegaconf import DictConfig, OmegaConf

from mnist_trainer.launch.hydra.optuna_study import SQLITE, find_study, going_on, propose_again

SAMPLERS = ["TPESampler", "RandomSampler"]


def sweeper_of(folder: Path, sampler: str, seed: int | None = 5) -> DictConfig:
    """As the section of Hydra's configuration, whose storage is an interpolation."""
    config = OmegaConf.create(
        {
            "folder": str(folder),
            "sweeper": {
                "sampler": {"_target_": f"optuna.samplers.{sampler}", "seed": seed},
                "storage": f"{SQLITE}${{folder}}/optuna.sqlite",
                "study_name": "study",
            },
        }
    )
    OmegaConf.set_readonly(config, True)
    sweeper: DictConfig = config.sweeper
    return sweeper


def propose(sweeper: DictConfig, count: int = 2) -> list[float]:
    """The values that one command proposes."""
    find_study(sweeper.storage, sweeper.study_name)
    sampler = getattr(optuna.samplers, sweeper.sampler._target_.rpartition(".")[2])(
        seed=going_on(sweeper).sampler.seed
    )
    study = optuna.create_study(
        storage=sweeper.storage,
        study_name="study",
        sampler=sampler,
        direction="maximize",
        load_if_exists=True,
    )
    proposed = []
    for _ in range(count):
        trial = study.ask()
        proposed.append(trial.suggest_float("optimizer.lr", 0.001, 1, log=True))
        study.tell(trial, 0.5)
    return proposed


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_command_again_proposes_other_values_and_a_new_study_the_same(
    sampler: str, tmp_path: Path
) -> None:
    proposed = {}
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        sweeper = sweeper_of(tmp_path / name, sampler)
        proposed[name] = propose(sweeper) + propose(sweeper)
    assert len(set(proposed["one"])) == 4
    assert proposed["one"] == proposed["other"]


def test_a_sampler_without_a_seed_is_left_without(tmp_path: Path) -> None:
    sweeper = sweeper_of(tmp_path, "RandomSampler")
    assert going_on(sweeper) is sweeper, "there is no study yet"
    propose(sweeper)
    unseeded = sweeper_of(tmp_path, "RandomSampler", seed=None)
    assert going_on(unseeded) is unseeded
    assert going_on(sweeper).sampler.seed == 7
    assert sweeper.sampler.seed == 5


def test_a_trial_that_was_cut_short_is_proposed_again(tmp_path: Path) -> None:
    sweeper = sweeper_of(tmp_path, "TPESampler")
    propose(sweeper)
    study = find_study(sweeper.storage, "study")
    assert study is not None
    value = study.ask().suggest_float("optimizer.lr", 0.001, 1, log=True)
    study.ask()  # Killed before it had a value.

    propose_again(study)
    propose_again(study)
    assert study.ask().suggest_float("optimizer.lr", 0.001, 1, log=True) == value
    assert study.ask().suggest_float("optimizer.lr", 0.001, 1, log=True) != value
