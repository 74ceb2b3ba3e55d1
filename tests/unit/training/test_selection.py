"""Which epoch is best, and when patience runs out."""

import dataclasses

from mnist_trainer.runs.metrics import Metrics
from mnist_trainer.training.selection import Selection
from tests.conftest import Compose


def scores(*correct: int, loss: float = 1.0) -> list[Metrics]:
    return [Metrics(loss, each, 100) for each in correct]


def test_best_is_the_highest_accuracy_and_the_earliest_of_equals(compose: Compose) -> None:
    selection = Selection(compose().trainer)
    taken = [
        selection.update(epoch, metrics)
        for epoch, metrics in enumerate(scores(90, 95, 95, 94), start=1)
    ]
    assert taken == [True, True, False, False]
    assert selection.best is not None
    assert selection.best.epoch == 2


def test_of_equal_accuracies_the_lower_loss_is_better(compose: Compose) -> None:
    selection = Selection(compose().trainer)
    assert selection.update(1, Metrics(0.5, 95, 100))
    assert selection.update(2, Metrics(0.4, 95, 100))
    assert not selection.update(3, Metrics(0.4, 95, 100))


def test_loss_may_be_watched_instead(compose: Compose) -> None:
    selection = Selection(compose("trainer.monitor=loss").trainer)
    assert selection.update(1, Metrics(0.5, 90, 100))
    assert not selection.update(2, Metrics(0.6, 99, 100))


def test_patience_counts_epochs_without_a_better_one(compose: Compose) -> None:
    selection = Selection(dataclasses.replace(compose().trainer, patience=2))
    exhausted = []
    for epoch, metrics in enumerate(scores(90, 91, 90, 90), start=1):
        selection.update(epoch, metrics)
        exhausted.append(selection.exhausted)
    assert exhausted == [False, False, False, True]


def test_selection_goes_on_from_its_state(compose: Compose) -> None:
    settings = dataclasses.replace(compose().trainer, patience=3)
    selection, copy = Selection(settings), Selection(settings)
    selection.update(1, Metrics(0.5, 95, 100))
    selection.update(2, Metrics(0.6, 94, 100))
    copy.load_state_dict(selection.state_dict())
    assert copy.best == selection.best
    assert copy.update(3, Metrics(0.5, 95, 100)) is False
    assert Selection(settings).state_dict()["best"] is None
