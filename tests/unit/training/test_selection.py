"""Which epoch is best, and when patience runs out."""

from mnist_trainer.runs.metrics import Metrics
from mnist_trainer.training.selection import Selection


def metrics_of(*correct: int, loss: float = 1.0) -> list[Metrics]:
    return [Metrics(loss, each, 100) for each in correct]


def test_best_is_the_highest_accuracy_and_the_earliest_of_equals() -> None:
    selection = Selection()
    taken = [
        selection.update(epoch, metrics)
        for epoch, metrics in enumerate(metrics_of(90, 95, 95, 94), start=1)
    ]
    assert taken == [True, True, False, False]
    assert selection.best is not None
    assert selection.best.epoch == 2


def test_of_equal_accuracies_the_lower_loss_is_better() -> None:
    selection = Selection()
    assert selection.update(1, Metrics(0.5, 95, 100))
    assert selection.update(2, Metrics(0.4, 95, 100))
    assert not selection.update(3, Metrics(0.4, 95, 100))


def test_the_loss_may_be_monitored() -> None:
    selection = Selection(monitor="loss")
    assert selection.update(1, Metrics(0.5, 90, 100))
    assert not selection.update(2, Metrics(0.6, 99, 100))


def test_patience_counts_epochs_without_improvement() -> None:
    selection = Selection(patience=2)
    should_stop = []
    for epoch, metrics in enumerate(metrics_of(90, 91, 90, 90), start=1):
        selection.update(epoch, metrics)
        should_stop.append(selection.should_stop)
    assert should_stop == [False, False, False, True]


def test_selection_resumes_from_its_state() -> None:
    selection, copy = Selection(patience=3), Selection(patience=3)
    selection.update(1, Metrics(0.5, 95, 100))
    selection.update(2, Metrics(0.6, 94, 100))
    copy.load_state_dict(selection.state_dict())
    assert copy.best == selection.best
    assert copy.update(3, Metrics(0.5, 95, 100)) is False
    assert Selection().state_dict()["best"] is None
