"""Check a composed configuration before Hydra or this package acts on anything in it.

A configuration may come from somebody else. Hydra instantiates the launcher, sweeper and callbacks
that its section names, ``logging`` calls what a logging configuration names, and paths say where
files are written. So what is composed is held to lists, and what may choose a place is taken from
typed overrides and the shipped files alone.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mnist_trainer.config.allow_list import (
    TRUST_VARIABLE,
    find_targets,
    is_trusted,
    refusal,
    refused_targets,
)
from mnist_trainer.config.shipped import config_dir
from mnist_trainer.errors import RefusedError
from mnist_trainer.launch.hydra.launchers import TARGETS, launcher_problems, texts

# Loggers: their classes, and the only file that they write to.
LOGGING_CLASSES = frozenset(
    f"logging.{name}" for name in ("StreamHandler", "FileHandler", "NullHandler", "Formatter")
)
LOGGING_STREAMS = frozenset({"ext://sys.stdout", "ext://sys.stderr"})
LOG_FILE = re.compile(r"\$\{hydra\.runtime\.output_dir\}/(\$\{hydra\.job\.name\}|[\w-]+)\.log")
# Keys that choose a place, a server or what is read: they are typed, or as they are shipped.
PLACES = (
    "hydra.run.dir",
    "hydra.sweep.dir",
    "hydra.sweep.subdir",
    "hydra.output_subdir",
    "hydra.job.name",
    "hydra.job.chdir",
    "hydra.job.env_set",
    "hydra.job.env_copy",
    "hydra.searchpath",
    "hydra.mode",
    "data.root",
    "data.mirror",
    "tracker.extra.uri",
    "sweep_file",
    "resume",
    "reproduce",
)
SHIPPED = {
    "hydra.output_subdir": ".hydra",
    "hydra.job.env_set": {},
    "hydra.job.env_copy": [],
    "hydra.searchpath": [],
}
HYDRA_PACKAGE = "pkg://hydra.conf"


def check_search_path(entries: object) -> None:
    """Refuse packages to look for configurations in: to find them, Hydra imports the package.

    Raises:
        RefusedError: a package is neither Hydra's own nor trusted.
    """
    for entry in entries if isinstance(entries, list) else [entries]:
        path = str(entry or "")
        package = path.removeprefix("pkg://")
        if "${" in path or ("pkg:" in path and path != HYDRA_PACKAGE and not is_trusted(package)):
            name = package.partition(".")[0]
            raise RefusedError(
                f"hydra.searchpath: {path} would import the package {name}, which is not on the"
                f" list.\nName a folder: hydra.searchpath=[file:///PATH], or trust it:"
                f" {TRUST_VARIABLE}={name} mnist-train ..."
            )


def check_composed(config: DictConfig, typed_keys: Collection[str]) -> None:
    """Hold a composed configuration, as it is before interpolation, to what it may say.

    Args:
        typed_keys: keys of the overrides on the command line.

    Raises:
        RefusedError: names each target, file or setting that is refused.
    """
    plain: Any = OmegaConf.to_container(config, resolve=False)
    places = [*_untyped_places(plain, typed_keys)]
    hydra = plain.pop("hydra")
    problems = [
        f"{key}={target} is not on the list"
        for key, target in find_targets(hydra, "hydra")
        if target not in TARGETS and not is_trusted(str(target))
    ]
    for section in ("job_logging", "hydra_logging"):
        problems += [
            f"{key}={value} may not appear in a logging configuration"
            for key, value in _logging_problems(hydra.get(section), f"hydra.{section}")
        ]
    # What is not resolved yet is checked once it is: ``read_config`` and ``build`` look again.
    targets = (each for group, node in plain.items() for each in refused_targets(node, group))
    problems += [problem for problem in targets if "${" not in problem]
    if problems:
        raise refusal(problems)
    if problems := [
        *launcher_problems(hydra),
        *_swept_hydra(hydra.get("sweeper") or {}),
        *places,
    ]:
        raise RefusedError("\n".join(problems))


def _untyped_places(plain: Any, typed_keys: Collection[str]) -> Iterator[str]:
    """A sentence for each place that a file chose, rather than the command line."""
    shipped = _load_plain(config_dir() / "config.yaml")
    for key in PLACES:
        typed = any(key == each or key.startswith(f"{each}.") for each in typed_keys)
        # The mode follows from -m; a folder of a job is named when it is launched.
        if typed or key in ("hydra.mode", "hydra.sweep.subdir"):
            continue
        value = _select(plain, key)
        if value != SHIPPED.get(key, _select(shipped, key)):
            yield (
                f"{key}={value}: a configuration file may not choose this;"
                f" type it on the command line: {key}=..."
            )


@cache
def _load_plain(path: Path) -> Any:
    """Values of a file before interpolation; read once in a process."""
    return OmegaConf.to_container(OmegaConf.load(path), resolve=False)


def _select(node: Any, key: str) -> Any:
    """The value at a dotted key; None where there is none."""
    for part in key.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node


def _swept_hydra(sweeper: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each of Hydra's own settings among the parameters that a file sweeps."""
    for key in sweeper.get("params") or ():
        if str(key).lstrip("+~").startswith("hydra"):
            yield f"hydra.sweeper.params.{key}: Hydra's own settings cannot be swept."


def _logging_problems(node: object, key: str) -> Iterator[tuple[str, object]]:
    """What would make ``logging`` call, import or write to something else than meant for logs."""
    for where, value in texts(node, key):
        name = where.rpartition(".")[2]
        if name == "filename":
            allowed = LOG_FILE.fullmatch(value) is not None
        elif name in ("()", "class"):
            allowed = value in LOGGING_CLASSES
        else:
            # logging.config resolves "ext://a.b" by importing a; an interpolation may lead to that.
            allowed = "${" not in value and ("://" not in value or value in LOGGING_STREAMS)
        if not allowed:
            yield where, value


def primary_search_path(folders: Collection[Path], name: str) -> object:
    """``hydra.searchpath`` of the primary configuration, the only file that may set it."""
    for folder in folders:
        path = folder / f"{name.removesuffix('.yaml')}.yaml"
        if path.is_file():
            return _select(_load_plain(path), "hydra.searchpath")
    return None
