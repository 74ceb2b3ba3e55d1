"""Classes of failure: what went wrong where a digit of a picture was not read."""

from mnist_trainer.inference.digit_images.boxes import Box

NOTHING_FOUND = "nothing found"
ANOTHER_THING = "another thing"
CUT_OFF = "a piece lost"
MORE_THAN_IT = "a line kept"
MISREAD = "misread"
"""No ink was found; what was read lies elsewhere; only a piece of the digit was read; the digit
with something else; the digit was shown as it is and named wrongly."""
FAILURES = (NOTHING_FOUND, ANOTHER_THING, CUT_OFF, MORE_THAN_IT, MISREAD)


def failure_class(found: Box, digit: Box, scale: float) -> str:
    """What went wrong, from where the digit was found and where it is.

    Args:
        found: in pixels of the working image, of which each is ``scale`` pixels of the file.
        digit: in pixels of the file.
    """
    top, left, bottom, right = (
        side * scale for side in (found.top, found.left, found.bottom, found.right)
    )
    down = min(bottom, digit.bottom) - max(top, digit.top)
    across = min(right, digit.right) - max(left, digit.left)
    shared = max(0.0, down) * max(0.0, across)
    of_digit = shared / (digit.height * digit.width)
    of_found = shared / max(1e-9, (bottom - top) * (right - left))
    if of_digit < 0.2:
        return ANOTHER_THING
    if of_digit < 0.7:
        return CUT_OFF
    return MORE_THAN_IT if of_found < 0.65 else MISREAD
