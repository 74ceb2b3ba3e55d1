"""What the command says where the machine fails it."""

import errno

import pytest

from mnist_trainer.cli import report as command
from mnist_trainer.errors import ExitCode


def test_standard_output_that_takes_no_more_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(command, "report", full)
    monkeypatch.setattr("sys.argv", ["mnist-report", "run"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == ExitCode.ENVIRONMENT
    assert capsys.readouterr().err == "mnist-report: standard output: No space left on device.\n"
