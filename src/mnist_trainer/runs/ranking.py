"""The one ranking of groups over seeds, in the table of a sweep and in its report."""

import math

Rank = tuple[bool, bool, float, float]


def rank_key(has_result: bool, accuracy: float | None, loss: float | None) -> Rank:
    """Sort key: higher mean validation accuracy first, ties by lower mean validation loss.

    Groups without validation images keep their order behind the others, because a ranking by test
    accuracy would spoil the test images; groups without a result come last.

    Args:
        has_result: whether any run of the group completed.
        accuracy: mean on the validation images; None without such images.
        loss: mean on the validation images; None if unknown.
    """
    return not has_result, accuracy is None, -(accuracy or 0.0), math.inf if loss is None else loss
