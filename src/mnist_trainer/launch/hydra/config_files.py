"""Copies of a user's own configuration files in the run folder, so that the run can be repeated."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mnist_trainer.config.shipped import config_dir
from mnist_trainer.errors import DataError
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.read import read_file
from mnist_trainer.system.files import atomic_write

MAX_FILES = 100
MAX_BYTES = 256 * 1024


def copy_config_files(hydra: Any, folder: RunFolder) -> None:
    """Copy the files that a configuration was composed of and that are not shipped, in the layout
    of a folder for ``--config-dir``.

    Args:
        hydra: Hydra's section of the composed configuration.

    Raises:
        MachineError: a copy could not be written.
    """
    for name, source in list(own_files(hydra))[:MAX_FILES]:
        try:
            content = read_file(source, MAX_BYTES)
        except DataError:
            continue  # It was there a moment ago; the resolved settings are kept in any case.
        with atomic_write(folder.config_files / name) as file:
            file.write(content)


def own_files(hydra: Any) -> Iterator[tuple[str, Path]]:
    """Name within its configuration folder, and path, of each file that is not a shipped one."""
    options = [(str(group), str(choice)) for group, choice in hydra.runtime.choices.items()]
    names = [f"{hydra.job.config_name}.yaml"]
    names += [f"{group.partition('@')[0]}/{choice}.yaml" for group, choice in options]
    for source in hydra.runtime.config_sources:
        root = Path(source.path)
        if source.schema != "file" or root == config_dir():
            continue
        for name in names:
            # A choice may be a path of its own, such as ../other; only files inside are copied.
            path = (root / name).resolve()
            if path.is_relative_to(root.resolve()) and path.is_file():
                yield path.relative_to(root.resolve()).as_posix(), path
