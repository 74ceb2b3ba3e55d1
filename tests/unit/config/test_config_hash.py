"""The identity of a job: equal for equal work, and for nothing else."""

import pytest

from mnist_trainer.config.config_hash import apart, identity
from tests.conftest import Compose


def test_it_is_that_of_the_settings_however_they_were_typed(compose: Compose) -> None:
    first = identity(compose("model=fcn", "optimizer.lr=0.1", "seed=1").plain)
    assert identity(compose("seed=1", "optimizer.lr=1e-1", "model=fcn").plain) == first
    assert identity(compose("experiment=docs_fcn").plain) == identity(
        compose("experiment=docs_fcn", "model=fcn").plain
    )
    assert identity({"a": 1, "b": [1, 2.0]}) == identity({"b": [1.0, 2], "a": 1.0})


@pytest.mark.parametrize(
    "word",
    ["seed=1", "model=fcn", "optimizer.lr=0.06", "trainer.epochs=6", "data=kmnist", "device=cpu"],
)
def test_what_changes_the_outcome_changes_it(word: str, compose: Compose) -> None:
    assert identity(compose(word).plain) != identity(compose().plain)


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
def test_what_does_not_change_the_outcome_does_not(word: str, compose: Compose) -> None:
    assert identity(compose(word).plain) == identity(compose().plain)


def test_numbers_are_not_truths_or_texts() -> None:
    values = [1, True, "1", None, [1], {"a": 1}, 1.5]
    assert len({identity({"x": value}) for value in values}) == len(values)


def test_what_is_swept_sets_apart_all_the_same() -> None:
    assert apart({"seed": "1", "tracker": "none", "tracker.images": "false", "name": "x"}) == {
        "tracker": "none",
        "tracker.images": "false",
        "name": "x",
    }
