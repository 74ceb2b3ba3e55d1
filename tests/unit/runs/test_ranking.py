"""The ranking of groups over seeds."""

from mnist_trainer.runs.ranking import rank_key


def test_accuracy_then_loss_then_given_order() -> None:
    groups: dict[str, tuple[bool, float | None, float | None]] = {
        "failed": (False, None, None),
        "not held out": (True, None, None),
        "unknown loss": (True, 0.9, None),
        "second": (True, 0.9, 0.2),
        "third": (True, 0.9, 0.2),
        "first": (True, 0.9, 0.1),
        "best": (True, 0.95, 0.3),
        "zero": (True, 0.0, 2.3),
    }
    assert sorted(groups, key=lambda name: rank_key(*groups[name])) == [
        "best",
        "first",
        "second",
        "third",
        "unknown loss",
        "zero",
        "not held out",
        "failed",
    ]
