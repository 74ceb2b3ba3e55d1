"""Words that depend on numbers."""

import pytest

from mnist_trainer.wording import counted


@pytest.mark.parametrize(("number", "said"), [(0, "0 jobs"), (1, "1 job"), (2, "2 jobs"), (1234, "1,234 jobs")])
def test_one_is_singular(number: int, said: str) -> None:
    assert counted(number, "job") == said
