"""How tensors lie in memory."""

from torch import Tensor


def is_dense(tensor: Tensor) -> bool:
    """Whether a tensor lies in memory without gaps, in whatever order of its dimensions."""
    pairs = zip(tensor.shape, tensor.stride(), strict=True)
    return sum((size - 1) * stride for size, stride in pairs) + 1 == tensor.numel()
