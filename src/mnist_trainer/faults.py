"""Faults of the machine, whichever library they come from, as one kind of error.

No torch here: its error for a device without memory is looked up only once something went wrong.
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from mnist_trainer.errors import MachineError
from mnist_trainer.files import write_failure
from mnist_trainer.run_folder import RunFolder

NO_MEMORY = (
    "The memory of this machine or device is not enough for this run.\n"
    "Use smaller portions: trainer.batch_size=32 trainer.accumulation=2, trainer.eval_batch_size=250; or a smaller model."
)
# PyTorch's CPU allocator raises a bare RuntimeError: there is nothing but its name to know it by.
CPU_ALLOCATOR = "DefaultCPUAllocator"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is exhausted, on the CPU or on a device."""
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and CPU_ALLOCATOR in str(error)


@contextlib.contextmanager
def faults_of_the_machine(folder: RunFolder) -> Iterator[None]:
    """Turn a full disk, a missing permission or exhausted memory into the error that says what to do about it.

    Raises:
        MachineError: with the way to go on, where the run has saved something.
    """
    try:
        yield
    except MachineError as error:
        raise MachineError(f"{error}{_how_to_go_on(folder)}") from error
    except BrokenPipeError:
        raise
    except OSError as error:
        path = Path(error.filename) if isinstance(error.filename, str) else folder.path
        raise MachineError(f"{write_failure(path, error)}{_how_to_go_on(folder)}") from error
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise MachineError(f"{NO_MEMORY}{_how_to_go_on(folder)}") from error
    except ValueError as error:
        # What logging makes of a log file that it cannot open.
        if not isinstance(error.__cause__, OSError):
            raise
        raise write_failure(folder.log, error.__cause__) from error


def _how_to_go_on(folder: RunFolder) -> str:
    last = folder.checkpoints / "last.pt"
    return f"\nSaved so far: {last}\nGo on with: mnist-train resume={folder}" if last.exists() else ""
