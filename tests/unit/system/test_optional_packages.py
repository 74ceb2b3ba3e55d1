"""A package that is missing is named with the way to install it."""

import pytest

from mnist_trainer.errors import ExitCode, MachineError
from mnist_trainer.system.optional_packages import require_extra


def test_a_missing_package_is_named_with_its_extra() -> None:
    require_extra("onnx", "json", "pathlib")
    with pytest.raises(
        MachineError, match=r"^no_such_package: .*pip install 'mnist-trainer\[onnx\]'"
    ) as caught:
        require_extra("onnx", "json", "no_such_package")
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
