import sys
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.hydra.local_launcher import Launched
from mnist_trainer.launch.hydra.process_launcher import ProcessLauncher, require_cpu
from tests.conftest import Compose

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="jobs are forked on Linux only")


def launched(settings: RunConfig) -> Sequence[Launched]:
    return [Launched(None, [], 0, settings)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("n_jobs", "threads", "total", "of_a_job", "expected"),
    [
        (None, 2, 8, None, 2),
        (None, 8, 2, None, 2),
        (None, 8, 8, 3, 2),
        (None, 2, 8, 4, 1),
        (None, 1, 8, None, 1),
        (4, 1, 8, None, 4),
    ],
)
def test_jobs_share_the_threads(
    n_jobs: int | None,
    threads: int,
    total: int,
    of_a_job: int | None,
    expected: int,
    compose: Compose,
) -> None:
    config = compose()
    settings = replace(config, device=replace(config.device, threads=of_a_job))
    launcher = ProcessLauncher(n_jobs)
    assert launcher.jobs_at_once(threads, total, launched(settings)) == expected


@pytest.mark.parametrize("n_jobs", [0, -1, 1.5, True, "many"])
def test_no_number_of_jobs(n_jobs: object) -> None:
    with pytest.raises(ConfigError, match="n_jobs="):
        ProcessLauncher(n_jobs)  # type: ignore[arg-type]


def test_elsewhere_than_on_linux_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ConfigError, match="hydra/launcher=joblib"):
        ProcessLauncher(None)


def test_a_gpu_is_refused(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    require_cpu(compose("device=cpu"))
    with pytest.raises(ConfigError, match="mps"):
        require_cpu(compose("device=mps"))
