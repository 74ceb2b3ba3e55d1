"""Words that depend on numbers, and guesses at the word that was meant."""

import pytest

from mnist_trainer.system.messages import counted, nearest


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 jobs"), (1, "1 job"), (2, "2 jobs"), (1234, "1,234 jobs")]
)
def test_one_is_singular(number: int, said: str) -> None:
    assert counted(number, "job") == said


def test_the_nearest_word_begins_alike_where_one_does() -> None:
    assert nearest("cn", ["fcn", "cnn"]) == " Did you mean cnn?"
    assert nearest("xyzzy", ["fcn", "cnn"]) == ""
