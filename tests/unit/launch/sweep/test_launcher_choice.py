import sys
from collections.abc import Iterator

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

from mnist_trainer.launch.command import resolve_command
from mnist_trainer.launch.hydra.launchers import PROCESSES_CHOICE
from mnist_trainer.launch.options import parse_command_line
from mnist_trainer.launch.sweep.launcher_choice import check_launcher, chosen_launcher

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="jobs are forked on Linux only")


@pytest.fixture(autouse=True)
def _no_hydra_is_left() -> Iterator[None]:
    yield
    GlobalHydra.instance().clear()


def chosen(*words: str) -> list[str]:
    return chosen_launcher(resolve_command(parse_command_line(["-m", *words])))


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)


@pytest.mark.usefixtures("two_threads")
def test_several_cores_are_used() -> None:
    assert chosen("device=cpu", "seed=0,1") == [PROCESSES_CHOICE]


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(
    "words",
    [
        ("device=cpu", "seed=0,1", "hydra/launcher=basic"),
        ("device=cpu", "seed=0,1", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
        ("device=cpu,auto",),
        ("device=cpu", "device.threads=1,2"),
        ("device=cpu", "trainer.engine=numpy", "model=fcn", "seed=0,1"),
        ("device=cpu", "hydra/sweeper=optuna", "seed=0,1"),
    ],
)
def test_where_another_is_named_or_forks_do_not_fit(words: tuple[str, ...]) -> None:
    assert chosen(*words) == []


@pytest.mark.usefixtures("two_threads")
def test_not_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert chosen("device=mps", "seed=0,1") == []


def test_one_thread_is_nothing_to_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert chosen("device=cpu", "seed=0,1") == []


def test_a_look_at_the_device_leaves_the_threads_as_they_were() -> None:
    before = torch.get_num_threads()
    words = ["-m", "device=cpu", f"device.threads={before + 1}", "seed=0,1"]
    check_launcher(resolve_command(parse_command_line(words)))
    assert torch.get_num_threads() == before
