"""What is settled before torch is used."""

import os

import pytest

from mnist_trainer.system.openmp import SPIN_COUNT, limit_openmp_spinning


def test_spinning_is_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOMP_SPINCOUNT", "")
    monkeypatch.delenv("GOMP_SPINCOUNT")
    limit_openmp_spinning()
    assert os.environ["GOMP_SPINCOUNT"] == SPIN_COUNT


@pytest.mark.parametrize(
    ("name", "value"), [("OMP_WAIT_POLICY", "ACTIVE"), ("GOMP_SPINCOUNT", "7")]
)
def test_a_policy_of_the_user_is_kept(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(each, "")
        monkeypatch.delenv(each)
    monkeypatch.setenv(name, value)
    limit_openmp_spinning()
    assert os.environ[name] == value
    assert len(os.environ.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}) == 1
