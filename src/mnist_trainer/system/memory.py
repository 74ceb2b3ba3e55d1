"""Recognise exhausted memory, on the CPU or on a device, and other limits of the process.

No torch here: its error for a device without memory is looked up only once something went wrong.
"""

import sys

NO_MEMORY = (
    "The memory of this machine or device is not enough for this run.\nUse smaller portions:"
    " trainer.batch_size=32 trainer.accumulation=2, trainer.eval_batch_size=250; or a smaller"
    " model."
)
# PyTorch's CPU allocator raises a bare RuntimeError: there is nothing but its name to know it by.
CPU_ALLOCATOR = "DefaultCPUAllocator"
# Python's own message where the operating system refuses another thread.
NO_THREAD = "can't start new thread"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is exhausted, on the CPU or on a device."""
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError) or (
        torch is not None and isinstance(error, torch.OutOfMemoryError)
    ):
        return True
    return isinstance(error, RuntimeError) and CPU_ALLOCATOR in str(error)


def limit_message(error: BaseException) -> str | None:
    """What to say of an error that comes of a limit of this machine; None for any other error."""
    if is_out_of_memory(error):
        return NO_MEMORY
    reason = next(iter(str(error).splitlines()), "") or type(error).__name__
    if isinstance(error, ImportError):
        # A shared library that does not fit into the address space, or more files than are allowed.
        return (
            f"A library cannot be loaded: {reason}\nA limit may be too low: ulimit -v (PyTorch"
            " takes 4 GB of address space), ulimit -n. To check what is installed: python -m"
            " mnist_trainer.doctor"
        )
    if isinstance(error, RuntimeError) and NO_THREAD in reason:
        return f"{reason}: the limit of processes and threads is reached. See ulimit -u."
    return None
