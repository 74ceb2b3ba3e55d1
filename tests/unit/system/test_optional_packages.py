"""A missing package is named with the command that installs it."""

import pytest

from mnist_trainer.errors import ExitCode, MachineError
from mnist_trainer.system.optional_packages import import_package, is_installed, require_packages


def test_missing_packages_are_named_with_pip_install() -> None:
    require_packages("This", "json", "pathlib")
    with pytest.raises(
        MachineError, match=r"^This needs no_a and no_b, .* pip install no_a no_b$"
    ) as caught:
        require_packages("This", "no_a", "json", "no_b")
    assert caught.value.exit_code == ExitCode.ENVIRONMENT


def test_a_missing_package_is_a_machine_error() -> None:
    assert not is_installed("no_such_package.part")
    with pytest.raises(MachineError, match=r"pip install no_such_package$"):
        import_package("no_such_package.part", "This")
    assert import_package("os.path", "This").sep
