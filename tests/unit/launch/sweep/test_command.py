"""What a sweep leaves behind, and what it says at its end."""

from pathlib import Path

import pytest

from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.sweep.command import removed_if_refused


def test_a_refused_sweep_leaves_no_folder_and_takes_nothing_else_with_it(tmp_path: Path) -> None:
    for name, content in (
        ("new", [".lock", "multirun.yaml"]),
        ("used", [".lock", "multirun.yaml", "sweep.json"]),
    ):
        folder = tmp_path / name
        folder.mkdir()
        for file in content:
            (folder / file).touch()
        with pytest.raises(ConfigError), removed_if_refused(folder):
            raise ConfigError("no")
        assert sorted(path.name for path in folder.glob("*")) == (content if name == "used" else [])
        assert folder.exists() == (name == "used")
