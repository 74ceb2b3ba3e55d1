"""The one ranking of groups over seeds, in the table of a sweep and in its report."""

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Rankable(Protocol):
    """A group over seeds, as the ranking sees it."""

    @property
    def has_result(self) -> bool:
        """Whether any of its runs completed."""

    @property
    def mean_accuracy(self) -> float | None:
        """Mean validation accuracy; None without validation images."""

    @property
    def mean_loss(self) -> float | None:
        """Mean validation loss; None where it is not known."""


Ranked = TypeVar("Ranked", bound=Rankable)


def ranked(groups: Sequence[Ranked]) -> list[Ranked]:
    """Sort groups by mean validation accuracy, ties by lower mean validation loss, then as given.

    Groups without validation images keep their order behind the others, because a ranking by test
    accuracy would spoil the test images; groups without a result come last.
    """

    def key(group: Rankable) -> tuple[bool, bool, float, float]:
        accuracy, loss = group.mean_accuracy, group.mean_loss
        return (
            not group.has_result,
            accuracy is None,
            -(accuracy or 0.0),
            float("inf") if loss is None else loss,
        )

    return sorted(groups, key=key)
