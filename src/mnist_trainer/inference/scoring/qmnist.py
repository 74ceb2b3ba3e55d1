"""The two parts of QMNIST's test images."""

import torch
from torch import Tensor

NUM_KNOWN = 10_000
"""The first of QMNIST's test images: those that MNIST has, reconstructed (Yadav and Bottou 2019).
The others were lost when MNIST was made, and no network was ever tuned on them."""


def qmnist_parts(images: int) -> dict[str, Tensor]:
    """Indexes of the known and of the new test images, among the first ``images``; a part without
    any is left out."""
    known = min(NUM_KNOWN, images)
    parts = {"known": torch.arange(known), "new": torch.arange(known, images)}
    return {name: part for name, part in parts.items() if len(part)}
