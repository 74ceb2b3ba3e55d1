"""A process is as it was before a run."""

import pytest
import torch

from mnist_trainer.compute.process_state import unchanged_process


def test_algorithms_threads_and_numbers_are_restored() -> None:
    state = torch.get_rng_state()
    with unchanged_process():
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.set_num_threads(torch.get_num_threads() + 1)
        torch.rand(3)
        threads = torch.get_num_threads()
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == threads - 1
    assert torch.equal(torch.get_rng_state(), state)


def test_algorithms_are_not_set_where_they_are_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    # Setting them loads PyTorch's compiler.
    def refused(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(torch, "use_deterministic_algorithms", refused)
    with unchanged_process():
        torch.rand(3)
