"""Turn faults of the machine, from whichever library, into ``MachineError``.

No torch here: its error for a device without memory is looked up only once something went wrong.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from mnist_trainer.errors import MachineError
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.system.files import write_failure
from mnist_trainer.system.memory import NO_MEMORY, is_out_of_memory


@contextlib.contextmanager
def faults_of_the_machine(folder: RunFolder) -> Iterator[None]:
    """Turn a full disk, a missing permission or exhausted memory into ``MachineError``.

    A stop outside the training loop gets the command that resumes the run as a note.

    Raises:
        MachineError: with the command that resumes the run, where there is a checkpoint.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.__notes__ = [_resume_hint(folder).strip() or "Nothing was saved."]
        raise
    except MachineError as error:
        hint = _resume_hint(folder)
        if hint in str(error):  # This context is around the run, and around its job within Hydra.
            raise
        raise MachineError(f"{error}{hint}") from error
    except BrokenPipeError:
        raise
    except OSError as error:
        path = Path(error.filename) if isinstance(error.filename, str) else folder.path
        raise MachineError(f"{write_failure(path, error)}{_resume_hint(folder)}") from error
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise MachineError(f"{NO_MEMORY}{_resume_hint(folder)}") from error
    except ValueError as error:
        # logging raises it for a log file that it cannot open.
        if not isinstance(error.__cause__, OSError):
            raise
        raise write_failure(folder.log, error.__cause__) from error


def _resume_hint(folder: RunFolder) -> str:
    last = folder.checkpoints / "last.pt"
    return (
        f"\nSaved so far: {last}\nGo on with: mnist-train resume={folder}" if last.exists() else ""
    )
