"""Limits of the process are told as such."""

import pytest

from mnist_trainer.system.memory import limit_message


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "memory"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "ulimit -v"),
        (ImportError(), "ulimit -v"),
        (RuntimeError("can't start new thread"), "ulimit -u"),
    ],
)
def test_a_limit_is_named(error: Exception, said: str) -> None:
    assert said in str(limit_message(error))


def test_another_error_is_none_of_them() -> None:
    assert limit_message(RuntimeError("shapes differ")) is None
