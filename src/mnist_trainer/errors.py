"""Errors that a user can act on, and the exit code of each."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit status of every command of this package."""

    OK = 0
    BUG = 1
    JOBS_FAILED = 1
    CONFIG = 2
    DATA = 3
    CHECKPOINT = 4
    DIVERGED = 5
    ENVIRONMENT = 6
    DIFFERENT = 7
    UNJUDGED = 8
    HANGUP = 129
    INTERRUPTED = 130
    PIPE_CLOSED = 141
    TERMINATED = 143


class UserError(Exception):
    """A mistake or fault that the user can act on; its message is shown without a traceback.

    The text says what was asked, names the key, path or value, says what is valid, and what to
    type.
    """

    exit_code = ExitCode.CONFIG


class PrunedError(UserError):
    """A trial of a search that the pruner has stopped: no failure."""

    exit_code = ExitCode.OK

    def __init__(self, message: str, epoch: int, validation: object) -> None:
        """Args:
        epoch: the last one, counted from 1.
        validation: ``Metrics`` after it.
        """
        super().__init__(message)
        self.epoch = epoch
        self.validation = validation


class AlreadyReportedError(UserError):
    """An error that another process of the same run reports."""

    def __init__(self, exit_code: int) -> None:
        super().__init__("")
        self.exit_code = ExitCode(exit_code)


class ConfigError(UserError):
    """A setting, option or argument that is wrong."""


class RefusedError(ConfigError):
    """A target in a configuration that is not on the allow-list."""


class DataError(UserError):
    """Data files that are missing, damaged or not what they claim to be."""

    exit_code = ExitCode.DATA


class CheckpointError(UserError):
    """A checkpoint that is missing, damaged, or of another run."""

    exit_code = ExitCode.CHECKPOINT


class DivergedError(UserError):
    """A loss or gradient that is not finite."""

    exit_code = ExitCode.DIVERGED


class InterruptedRunError(UserError):
    """A run that was asked to stop, and has saved a checkpoint.

    Args:
        number: of the signal.
    """

    def __init__(self, message: str, number: int) -> None:
        # Both are arguments of the exception, so that it can be pickled in the process of a job.
        super().__init__(message, number)
        self.exit_code = ExitCode(128 + number)

    def __str__(self) -> str:
        return str(self.args[0])


class UnjudgedError(UserError):
    """A run that cannot be compared with its reproduction: data, code or settings are missing."""

    exit_code = ExitCode.UNJUDGED


class MachineError(UserError):
    """A lack of disk space, permission, memory or a device that the run needs."""

    exit_code = ExitCode.ENVIRONMENT
