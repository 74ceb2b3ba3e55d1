"""The guard: nothing that a configuration says of Hydra itself acts before it was checked."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from mnist_trainer.config.allow_list import TRUST_VARIABLE
from mnist_trainer.errors import RefusedError
from mnist_trainer.launch.command import resolve_command
from mnist_trainer.launch.hydra.guard import PLACES, check_composed, check_search_path
from mnist_trainer.launch.options import parse_command_line


@pytest.fixture(scope="module")
def shipped() -> DictConfig:
    return resolve_command(parse_command_line([])).composed


def with_values(shipped: DictConfig, values: dict[str, Any]) -> DictConfig:
    plain: Any = OmegaConf.to_container(shipped, resolve=False)
    merged = OmegaConf.merge(plain, values)
    assert isinstance(merged, DictConfig)
    return merged


def test_shipped_configuration_passes(shipped: DictConfig) -> None:
    check_composed(shipped, ())


@pytest.mark.parametrize(
    "section",
    [
        {"launcher": {"_target_": "os.system"}},
        {"callbacks": {"mine": {"_target_": "os.system"}}},
        {"job_logging": {"handlers": {"x": {"()": "os.system", "command": "id"}}}},
        {"job_logging": {"handlers": {"x": {"class": "logging.handlers.SocketHandler"}}}},
        {"job_logging": {"formatters": {"x": {"class": "os.system"}}}},
        {
            "hydra_logging": {
                "handlers": {"x": {"class": "logging.StreamHandler", "stream": "ext://os.environ"}}
            }
        },
        {"job_logging": {"filters": {"x": {"()": "subprocess.Popen"}}}},
    ],
)
def test_targets_and_loggers_off_the_lists_are_refused(
    section: dict[str, object], shipped: DictConfig
) -> None:
    with pytest.raises(RefusedError):
        check_composed(with_values(shipped, {"hydra": section}), ())


FILES = {
    "${hydra.runtime.output_dir}/train.log": True,
    "${hydra.runtime.output_dir}/${hydra.job.name}.log": True,
    "${hydra.runtime.output_dir}/../x.log": False,
    "${hydra.runtime.output_dir}/${name}.log": False,
    "${hydra.runtime.output_dir}/.profile": False,
    "/elsewhere/x.log": False,
    "x.log": False,
}


@pytest.mark.parametrize(("file", "allowed"), FILES.items())
def test_logs_stay_in_the_run_folder(file: str, allowed: bool, shipped: DictConfig) -> None:
    logging = {"job_logging": {"handlers": {"file": {"filename": file}}}}
    config = with_values(shipped, {"hydra": logging})
    if allowed:
        check_composed(config, ())
    else:
        with pytest.raises(RefusedError, match="filename"):
            check_composed(config, ())


@pytest.mark.parametrize(
    "key", [key for key in PLACES if key not in ("hydra.mode", "hydra.sweep.subdir")]
)
def test_places_are_typed_or_as_shipped(key: str, shipped: DictConfig) -> None:
    config = with_values(shipped, {})
    value: Any = {"x": "y"} if key.endswith("env_set") else ["x"] if "env" in key else "elsewhere"
    OmegaConf.update(config, key, value, force_add=True)
    with pytest.raises(RefusedError, match=f"{key}="):
        check_composed(config, ())
    check_composed(config, (key,))
    check_composed(config, (key.rpartition(".")[0] or key,))


@pytest.mark.parametrize("entry", ["pkg://evil", "pkg:evil", "${name}", "pkg://hydra.conf.evil"])
def test_untrusted_packages_are_not_searched(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RefusedError, match="searchpath"):
        check_search_path([entry])
    monkeypatch.setenv(TRUST_VARIABLE, "evil")
    if entry == "pkg://evil":
        check_search_path([entry])


def test_folders_are_searched(tmp_path: Path) -> None:
    check_search_path([f"file://{tmp_path}", str(tmp_path), "pkg://hydra.conf"])
    check_search_path(None)
