"""Dropout in a stacked model: each member draws its own masks, as its model would alone.

``vmap`` has no generator for each member, so masks are drawn outside of it and handed in.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class MaskedDropout(nn.Module):
    """Dropout with a mask that is given to each forward pass as its buffer."""

    mask: Tensor
    """(N, F): 0 where a feature is dropped, else 1 / (1 - p)."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.ones(()), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, F) to the same shape."""
        return features * self.mask


class StackedDropout:
    """The template of a stacked model, and the masks of its dropout layers."""

    def __init__(
        self, models: Sequence[nn.Module], generators: Sequence[torch.Generator], image: Tensor
    ) -> None:
        """Args:
        models: of one architecture; those without dropout have no such layers.
        generators: of the members, on the device.
        image: one preprocessed image (1, 1, H, W).
        """
        self.generators = generators
        self.rates = [_rate(model) for model in models]
        chosen = max(range(len(models)), key=lambda index: self.rates[index])
        self.template = copy.deepcopy(models[chosen]).requires_grad_(False)
        self.widths = _feature_widths(self.template, image)
        for name in self.widths:
            self.template.set_submodule(name, MaskedDropout())
        self.template.train()

    def draw(self, num_images: int, like: Tensor) -> dict[str, Tensor]:
        """Buffer name to masks (M, N, F), in the type and on the device of another tensor.

        As PyTorch's dropout draws them on the CPU: layer by layer, a Bernoulli number a feature.
        """
        masks = {
            f"{name}.mask": torch.ones(
                len(self.rates), num_images, width, dtype=like.dtype, device=like.device
            )
            for name, width in self.widths.items()
        }
        for index, (rate, generator) in enumerate(zip(self.rates, self.generators, strict=True)):
            for mask in masks.values() if rate > 0 else ():
                if rate == 1:
                    mask[index].zero_()
                else:
                    mask[index].bernoulli_(1 - rate, generator=generator).div_(1 - rate)
        return masks


def _rate(model: nn.Module) -> float:
    """Probability that a feature is dropped; the models of this package have one for all layers."""
    return max((each.p for each in model.modules() if isinstance(each, nn.Dropout)), default=0.0)


def _feature_widths(model: nn.Module, image: Tensor) -> dict[str, int]:
    """Name of each dropout layer to the number of its features, in the order of the data."""
    widths: dict[str, int] = {}
    hooks = [
        module.register_forward_pre_hook(
            lambda _, inputs, name=name: widths.update({name: inputs[0].shape[1]})
        )
        for name, module in model.named_modules()
        if isinstance(module, nn.Dropout)
    ]
    model.eval()
    with torch.no_grad():
        model(image)
    for hook in hooks:
        hook.remove()
    return widths
