"""What can go wrong for a user, and the exit code that each kind ends the command with."""

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
    INTERRUPTED = 130
    TERMINATED = 143


class UserError(Exception):
    """A mistake or fault that the user can act on; its text is shown as it stands, without a
    traceback.

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
    """What ended this process is said by another one of the same run: nothing is left to say here."""

    def __init__(self, exit_code: int) -> None:
        super().__init__("")
        self.exit_code = ExitCode(exit_code)


class ConfigError(UserError):
    """A setting, option or argument that is wrong."""


class RefusedError(ConfigError):
    """Something in a configuration that may not run, whatever else is right."""


class DataError(UserError):
    """Data files that are missing, damaged or not what they claim to be."""

    exit_code = ExitCode.DATA


class CheckpointError(UserError):
    """A checkpoint that is missing, damaged, or of another run."""

    exit_code = ExitCode.CHECKPOINT


class DivergedError(UserError):
    """A loss or gradient that is not finite."""

    exit_code = ExitCode.DIVERGED


class MachineError(UserError):
    """Disk, permission, memory or device that the run needs and does not have."""

    exit_code = ExitCode.ENVIRONMENT
