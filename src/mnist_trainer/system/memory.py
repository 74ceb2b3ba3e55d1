"""Recognise exhausted memory, on the CPU or on a device.

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


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is exhausted, on the CPU or on a device."""
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError) or (
        torch is not None and isinstance(error, torch.OutOfMemoryError)
    ):
        return True
    return isinstance(error, RuntimeError) and CPU_ALLOCATOR in str(error)
