"""The ranking of groups over seeds."""

from dataclasses import dataclass

from mnist_trainer.report.analysis.ranking import ranked


@dataclass(frozen=True)
class Scored:
    """A group with its means."""

    name: str
    mean_accuracy: float | None = None
    mean_loss: float | None = None
    has_result: bool = True


def test_accuracy_then_loss_then_given_order() -> None:
    groups = [
        Scored("failed", has_result=False),
        Scored("not held out"),
        Scored("unknown loss", 0.9),
        Scored("second", 0.9, 0.2),
        Scored("third", 0.9, 0.2),
        Scored("first", 0.9, 0.1),
        Scored("best", 0.95, 0.3),
    ]
    assert [group.name for group in ranked(groups)] == [
        "best",
        "first",
        "second",
        "third",
        "unknown loss",
        "not held out",
        "failed",
    ]


def test_zero_accuracy_is_ranked_before_none() -> None:
    groups = [Scored("none"), Scored("zero", 0.0, 2.3)]
    assert [group.name for group in ranked(groups)] == ["zero", "none"]
