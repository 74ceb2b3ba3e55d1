"""Launchers: what has to be installed, what a configuration may tell them, and which GPU each job
gets."""

from typing import Any

import pytest

from mnist_trainer.config.allow_list import TRUST_VARIABLE
from mnist_trainer.errors import ConfigError, MachineError
from mnist_trainer.launch.hydra import launchers as launching
from mnist_trainer.launch.hydra.launchers import (
    EXTRAS,
    JOBLIB,
    RAY,
    TARGETS,
    assigned_gpu,
    launcher_problems,
    require_extras,
    share_machine,
)
from tests.conftest import Compose


def test_the_plugin_of_every_extra_may_be_named() -> None:
    assert EXTRAS.keys() <= TARGETS


@pytest.mark.parametrize("target", EXTRAS)
def test_a_missing_extra_is_named_with_the_way_to_get_it(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    section = EXTRAS[target].choice.removeprefix("hydra/").partition("=")[0]
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(
        MachineError, match=rf"pip install (hydra-{EXTRAS[target].name}-launcher|optuna)"
    ):
        require_extras({section: {"_target_": target}})


def test_what_is_installed_is_let_through(compose: Compose) -> None:
    require_extras({"launcher": {"_target_": JOBLIB}, "sweeper": {"_target_": "hydra.anything"}})


def test_a_launcher_without_a_sweep_is_told_that_it_launches_nothing(compose: Compose) -> None:
    with pytest.raises(ConfigError, match="mnist-train -m hydra/launcher=joblib seed=1"):
        compose("hydra/launcher=joblib", "seed=1")


HAZARDS: list[dict[str, Any]] = [
    {"launcher": {"setup": ["touch touched"]}},
    {"launcher": {"additional_parameters": {"wrap": "touch touched"}}},
    {"launcher": {"partition": "gpu\ntouch touched"}},
    {"launcher": {"ray": {"init": {"address": "ray://elsewhere:10001"}}}},
    {"launcher": {"ray": {"init": {"runtime_env": {"pip": ["evil"]}}}}},
    {"launcher": {"ray": {"remote": {"runtime_env": {"py_executable": "touch"}}}}},
    {"sweeper": {"custom_search_space": "evil.touch"}},
]


@pytest.mark.parametrize("section", HAZARDS, ids=str)
def test_what_would_run_unchecked_is_refused(section: dict[str, Any]) -> None:
    assert list(launcher_problems(section))


def test_the_environment_admits_shell_commands_of_a_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    section = {"launcher": {"setup": ["module load cuda"]}}
    monkeypatch.setenv(TRUST_VARIABLE, "hydra.launcher")
    assert not list(launcher_problems(section))


@pytest.mark.parametrize(
    ("environment", "gpus", "expected"),
    [
        ({}, 4, ["0", "1", "2", "3", "0"]),
        ({"CUDA_VISIBLE_DEVICES": "2,5"}, 8, ["2", "5", "2", "5", "2"]),
        (
            {"CUDA_VISIBLE_DEVICES": "GPU-ab,GPU-cd"},
            8,
            ["GPU-ab", "GPU-cd", "GPU-ab", "GPU-cd", "GPU-ab"],
        ),
        ({"CUDA_VISIBLE_DEVICES": "3"}, 8, [None] * 5),
        ({"CUDA_VISIBLE_DEVICES": ""}, 8, [None] * 5),
        ({}, 0, [None] * 5),
        ({}, 1, [None] * 5),
    ],
)
def test_jobs_get_visible_gpus_in_turn(
    environment: dict[str, str],
    gpus: int,
    expected: list[str | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launching, "count_gpus", lambda: gpus)
    assert [assigned_gpu(job, environment) for job in range(5)] == expected
    for job, gpu in enumerate(expected):
        received = dict(environment)
        share_machine({"_target_": JOBLIB}, job, received)
        assert received.get("CUDA_VISIBLE_DEVICES") == (
            gpu if gpu is not None else environment.get("CUDA_VISIBLE_DEVICES")
        )
        again = dict(received)
        share_machine({"_target_": JOBLIB}, job + 1, again)
        assert gpu is None or again["CUDA_VISIBLE_DEVICES"] == gpu, (
            "a process that has its GPU keeps it"
        )


def test_a_launcher_that_assigns_gpus_itself_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "count_gpus", lambda: 4)
    received: dict[str, str] = {}
    share_machine({"_target_": RAY}, 1, received)
    assert "CUDA_VISIBLE_DEVICES" not in received
    untouched: dict[str, str] = {}
    share_machine(
        {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}, 1, untouched
    )
    assert untouched == {}
