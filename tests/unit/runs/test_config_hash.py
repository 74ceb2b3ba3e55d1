"""The hash of a configuration: equal for equal work, and for nothing else."""

import pytest

from mnist_trainer.runs.config_hash import config_hash, unhashed_overrides
from tests.conftest import Compose


def test_the_hash_does_not_depend_on_spelling(compose: Compose) -> None:
    first = config_hash(compose("model=fcn", "optimizer.lr=0.1", "seed=1").plain)
    assert config_hash(compose("seed=1", "optimizer.lr=1e-1", "model=fcn").plain) == first
    assert config_hash(compose("experiment=docs_fcn").plain) == config_hash(
        compose("experiment=docs_fcn", "model=fcn").plain
    )
    assert config_hash({"a": 1, "b": [1, 2.0]}) == config_hash({"b": [1.0, 2], "a": 1.0})


@pytest.mark.parametrize(
    "word",
    [
        "seed=1",
        "model=fcn",
        "optimizer.lr=0.06",
        "trainer.epochs=6",
        "data=kmnist",
        "device=cpu",
        "data.per_class=10",
        "trainer.adversary.epsilon=0.1",
    ],
)
def test_settings_that_change_the_outcome_change_the_hash(word: str, compose: Compose) -> None:
    assert config_hash(compose(word).plain) != config_hash(compose().plain)


@pytest.mark.parametrize(
    "word",
    [
        "name=x",
        "sweep=y",
        "data.root=/z",
        "data.num_workers=2",
        "tracker=none",
        "trainer.log_every=3",
        "data.download=false",
    ],
)
def test_names_and_places_do_not_change_the_hash(word: str, compose: Compose) -> None:
    assert config_hash(compose(word).plain) == config_hash(compose().plain)


def test_without_folds_the_hash_is_what_it_was(compose: Compose) -> None:
    plain = compose().plain
    before = {key: value for key, value in plain["data"].items() if key not in ("folds", "fold")}
    assert len(before) == len(plain["data"]) - 2
    assert config_hash({**plain, "data": before}) == config_hash(plain)
    folded = [compose("data.folds=5", f"data.fold={fold}").plain for fold in (0, 1)]
    assert len({config_hash(each) for each in (plain, *folded)}) == 3


def test_values_of_other_types_have_other_hashes() -> None:
    values = [1, True, "1", None, [1], {"a": 1}, 1.5]
    assert len({config_hash({"x": value}) for value in values}) == len(values)


def test_unhashed_overrides_are_names_and_places() -> None:
    assert unhashed_overrides(
        {"seed": "1", "tracker": "none", "tracker.images": "false", "name": "x"}
    ) == {
        "tracker": "none",
        "tracker.images": "false",
        "name": "x",
    }


def test_a_later_setting_that_is_off_leaves_the_hash_as_it_was(compose: Compose) -> None:
    plain = compose().plain
    first_version = {
        **plain,
        "data": {key: value for key, value in plain["data"].items() if key != "per_class"},
        "trainer": {
            key: value
            for key, value in plain["trainer"].items()
            if key not in ("adversary", "film")
        },
    }
    assert config_hash(compose("trainer.film=true").plain) == config_hash(first_version)
    assert config_hash(first_version) == config_hash(plain)
    assert config_hash(compose("trainer.adversary.steps=3").plain) == config_hash(plain)
    on = ("trainer.adversary.epsilon=0.1", "trainer.adversary.steps=3")
    assert config_hash(compose(*on).plain) != config_hash(compose(on[0]).plain)
