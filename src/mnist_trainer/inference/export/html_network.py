"""A network as JSON for the exported page: transforms, layers in order, weights as base64."""

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mnist_trainer.data.transforms import CenterCrop, Normalize
from mnist_trainer.errors import ConfigError
from mnist_trainer.inference.digit_images.segmentation_network import stored_layers
from mnist_trainer.models.layer_shapes import pair
from mnist_trainer.training.evaluation import VIEWS

if TYPE_CHECKING:
    from mnist_trainer.inference.trained_model import TrainedModel

AGREEMENT = 1e-4
"""Largest difference between the logits of the network and those of its layers one after the other.
"""

# Activations without options, by the name of their class; those of this package and of torch.nn
# alike.
PLAIN = {
    "ReLU": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "SiLU": "silu",
    "Softsign": "softsign",
    "Erf": "erf",
    "Algebraic": "algebraic",
    "Arctan": "arctan",
    "Gudermannian": "gd",
}
WITHOUT_EFFECT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.Identity)

Layer = dict[str, Any]


def describe(trained: "TrainedModel") -> dict[str, Any]:
    """The network as plain values: its transforms, its layers in their order, all numbers in one
    base64 text of float32."""
    description, packer = pack(trained)
    values = packer.values()
    return {
        **description,
        "views": [list(shift) for shift in VIEWS[trained.translations]],
        "weights": base64.b64encode(values.astype("<f4").tobytes()).decode("ascii"),
    }


def describe_segmentation() -> dict[str, Any]:
    """The network that segments photographs: its layers in the order of their numbers; weights as
    bytes, factor and bias of each layer's output channels as float32."""
    layers, weights, numbers = [], b"", b""
    for name, (weight, *others) in stored_layers().items():
        outputs, inputs, kernel, _ = weight.shape
        layers.append({"name": name, "outputs": outputs, "inputs": inputs, "kernel": kernel})
        weights += weight.tobytes()
        numbers += b"".join(each.astype("<f4").tobytes() for each in others)
    return {
        "layers": layers,
        "weights": base64.b64encode(weights).decode("ascii"),
        "numbers": base64.b64encode(numbers).decode("ascii"),
    }


def pack(trained: "TrainedModel") -> tuple[dict[str, Any], "Packer"]:
    """The network without its numbers, and the numbers. Each layer has the name of its module, and
    for each of its tensors (start, count) among the numbers.

    Raises:
        ConfigError: it has a part that the page cannot compute.
    """
    packer = Packer()
    chain = chain_of(trained.model, trained.image_size)
    layers = [
        {"name": name, **layer} for name, module in chain for layer in packer.layers(name, module)
    ]
    description = {
        "class_names": list(trained.class_names),
        "temperature": trained.calibration.temperature,
        "transforms": [transform_layer(transform) for transform in trained.transforms.fixed],
        "layers": layers,
    }
    return description, packer


def transform_layer(transform: nn.Module) -> Layer:
    """A fixed transform as a layer of the page.

    Raises:
        ConfigError: the page does not know it.
    """
    if type(transform) is Normalize:
        return {"type": "affine", "mean": float(transform.mean), "std": float(transform.std)}
    if type(transform) is CenterCrop:
        return {"type": "crop", "size": int(transform.size)}
    raise unknown("transforms", transform)


def chain_of(model: nn.Module, image_size: int) -> list[tuple[str, nn.Module]]:
    """The layers of a network in the order in which they compute.

    Raises:
        ConfigError: it is more than its layers one after the other.
    """
    names = {module: name for name, module in model.named_modules()}
    called: list[tuple[str, nn.Module]] = []
    leaves = [module for module in model.modules() if not any(True for _ in module.children())]
    handles = [
        leaf.register_forward_hook(lambda leaf, *_: called.append((names[leaf], leaf)))
        for leaf in leaves
    ]
    generator = torch.Generator().manual_seed(0)
    parameter = next(model.parameters())
    images = torch.rand(2, 1, image_size, image_size, generator=generator).to(parameter.device)
    try:
        with torch.inference_mode():
            logits = model(images)
    finally:
        for handle in handles:
            handle.remove()
    value: Tensor = images
    try:
        with torch.inference_mode():
            for _, module in called:
                value = module(value)
        agrees = value.shape == logits.shape and float((value - logits).abs().max()) <= AGREEMENT
    except RuntimeError:  # Shapes that do not fit each other.
        agrees = False
    if not agrees:
        raise ConfigError(
            f"{type(model).__name__}: its layers one after the other are not the network, so the"
            " page cannot compute it. Export it with --format onnx."
        )
    return called


def unknown(name: str, module: nn.Module) -> ConfigError:
    """A part that the page has no script for."""
    return ConfigError(
        f"{name}: {module} is not among the parts that the page can compute: Conv2d, Linear,"
        " MaxPool2d, AvgPool2d, BatchNorm, Flatten, Dropout, Normalize, CenterCrop and the"
        " activations of this package. Export it with --format onnx."
    )


class Packer:
    """Collects the numbers of all layers, and tells where each layer's are: (start, count)."""

    def __init__(self) -> None:
        self.pieces: list[NDArray[np.float32]] = []
        self.count = 0

    def add(self, tensor: Tensor) -> list[int]:
        """Append a tensor; where it is."""
        values = tensor.detach().to("cpu", torch.float32).contiguous().numpy().reshape(-1)
        place = [self.count, len(values)]
        self.pieces.append(values)
        self.count += len(values)
        return place

    def values(self) -> NDArray[np.float32]:
        """All numbers, one tensor after the other."""
        return np.concatenate(self.pieces) if self.pieces else np.empty(0, np.float32)

    def layers(self, name: str, module: nn.Module) -> list[Layer]:
        """The layer of the page for a module; none for one that does nothing to a trained network.

        Raises:
            ConfigError: the page has no such layer.
        """
        if isinstance(module, WITHOUT_EFFECT):
            return []
        if type(module) is nn.Flatten and (module.start_dim, module.end_dim) == (1, -1):
            return [{"type": "flatten"}]
        if type(module) is nn.Linear:
            return [
                {"type": "linear", "outputs": module.out_features, **self.weight_and_bias(module)}
            ]
        if type(module) is nn.Conv2d:
            return [self.convolution(name, module)]
        if type(module) in (nn.BatchNorm1d, nn.BatchNorm2d):
            return [self.batch_norm(name, module)]
        if type(module) in (nn.MaxPool2d, nn.AvgPool2d):
            return [pooling(name, module)]
        return [activation_layer(name, module)]

    def weight_and_bias(self, module: Any) -> Layer:
        """Where the numbers of a linear layer or a convolution are."""
        packed: Layer = {"weight": self.add(module.weight)}
        if module.bias is not None:
            packed["bias"] = self.add(module.bias)
        return packed

    def convolution(self, name: str, module: nn.Conv2d) -> Layer:
        """Weights (outputs, inputs, rows, columns), cross-correlated with the input as PyTorch
        does."""
        plain = (
            module.groups == 1
            and pair(module.dilation) == (1, 1)
            and module.padding_mode == "zeros"
        )
        if not plain or isinstance(module.padding, str):
            raise unknown(name, module)
        sizes = {
            "kernel": pair(module.kernel_size),
            "stride": pair(module.stride),
            "padding": pair(module.padding),
        }
        return {
            "type": "conv",
            "outputs": module.out_channels,
            **sizes,
            **self.weight_and_bias(module),
        }

    def batch_norm(self, name: str, module: Any) -> Layer:
        """(x - mean) / deviation · weight + bias, a number of each for a channel."""
        if module.running_mean is None:
            raise unknown(name, module)
        deviation = torch.sqrt(module.running_var.double() + module.eps)
        layer = {
            "type": "batch_norm",
            "mean": self.add(module.running_mean),
            "deviation": self.add(deviation),
        }
        return {**layer, **self.weight_and_bias(module)} if module.affine else layer


def pooling(name: str, module: Any) -> Layer:
    """Maximum or mean of windows."""
    if (
        pair(module.padding) != (0, 0)
        or module.ceil_mode
        or pair(getattr(module, "dilation", 1)) != (1, 1)
    ):
        raise unknown(name, module)
    average = type(module) is nn.AvgPool2d
    if average and module.divisor_override is not None:
        raise unknown(name, module)
    return {
        "type": "pool",
        "kernel": pair(module.kernel_size),
        "stride": pair(module.stride),
        "average": average,
    }


def activation_layer(name: str, module: nn.Module) -> Layer:
    """An activation function with its options."""
    function = PLAIN.get(type(module).__name__)
    if function and type(module).__module__.startswith(("torch.nn.", "mnist_trainer.")):
        return {"type": "map", "function": function}
    if type(module) is nn.LeakyReLU:
        return {"type": "map", "function": "leaky_relu", "slope": module.negative_slope}
    if type(module) is nn.GELU:
        return {"type": "map", "function": "gelu_tanh" if module.approximate == "tanh" else "gelu"}
    if type(module) is nn.Softplus:
        return {
            "type": "map",
            "function": "softplus",
            "beta": float(module.beta),
            "threshold": float(module.threshold),
        }
    if type(module) is nn.ELU:
        return {"type": "map", "function": "elu", "alpha": float(module.alpha)}
    raise unknown(name, module)
