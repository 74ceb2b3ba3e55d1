"""A missing package is named with the command that installs it."""

import importlib
from pathlib import Path

import pytest

from mnist_trainer.errors import ExitCode, MachineError
from mnist_trainer.system.optional_packages import is_installed, not_importable, require_packages


def test_missing_packages_are_named_with_pip_install() -> None:
    require_packages("This", "json", "pathlib")
    with pytest.raises(
        MachineError, match=r"^This needs no_a and no_b, .* pip install no_a no_b$"
    ) as caught:
        require_packages("This", "no_a", "json", "no_b")
    assert caught.value.exit_code == ExitCode.ENVIRONMENT


def test_a_dotted_name_is_looked_for_in_its_package() -> None:
    assert is_installed("os.path")
    assert not is_installed("no_such_package.part")


def test_a_package_seems_not_to_be_installed_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_package_of_this_test.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with not_importable("a_package_of_this_test"), pytest.raises(ModuleNotFoundError):
        importlib.import_module("a_package_of_this_test")
    assert importlib.import_module("a_package_of_this_test")


def test_what_is_imported_already_stays() -> None:
    with not_importable("pytest"):
        assert importlib.import_module("pytest") is pytest
