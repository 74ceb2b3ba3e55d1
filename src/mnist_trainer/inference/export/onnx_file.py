"""Export to ONNX: normalization included, any batch size, verified against PyTorch."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mnist_trainer.data.transforms import Transforms
from mnist_trainer.errors import MachineError
from mnist_trainer.inference.export.formats import Exported
from mnist_trainer.inference.export.model_card import describe_accuracy, write_with_card
from mnist_trainer.inference.export.provenance import INPUT, find_provenance
from mnist_trainer.inference.trained_model import TrainedModel

OPSET = 18
COMPARED = 1000
"""Test images whose logits are compared."""
TOLERANCE = 1e-4
"""Largest difference between the logits, as a share of the largest logit, and of 1 where all are
smaller."""
PORTION = 500
PORTIONS_COMPARED = (1, 7)
"""Numbers of images that are computed once more: the batch is as large as one likes."""

INTERFACE = """\
* `images`: uint8, (N, 28, 28), 0 to 255, bright ink on dark ground; any N. Scaling and
  normalisation are inside.
* `logits`: float32, (N, C).
* `probabilities`: float32, (N, C); each row sums to 1."""


class PixelsToLogits(nn.Module):
    """The network preceded by its transforms."""

    def __init__(self, model: nn.Module, transforms: Transforms) -> None:
        super().__init__()
        self.model = model
        self.fixed = nn.ModuleList(transforms.fixed)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 (N, 28, 28) to logits (N, C) and probabilities (N, C)."""
        prepared = images.unsqueeze(1).to(torch.float32) / 255
        for transform in self.fixed:
            prepared = transform(prepared)
        logits = self.model(prepared)
        return logits, logits.softmax(dim=1)


def write_onnx(trained: TrainedModel, path: Path) -> Exported:
    """Write the network, and its card beside it.

    Raises:
        MachineError: the network cannot be expressed, or ONNX Runtime computes other logits; no
            file is left.
    """
    import onnx

    provenance = find_provenance(trained)
    proto = convert(trained)
    images = provenance.test_images.squeeze(1).numpy()
    logits_onnx = run(proto.SerializeToString(), images)
    expected = trained.logits(provenance.test_images[:COMPARED]).numpy()
    difference = compare(
        proto.SerializeToString(), images[:COMPARED], logits_onnx[:COMPARED], expected
    )
    correct = provenance.count_correct(logits_onnx)
    facts = provenance.describe(correct)
    onnx.helper.set_model_props(
        proto, {**facts, "input": INPUT, "largest_logit_difference": f"{difference:.3g}"}
    )
    proto.producer_name, _, proto.producer_version = facts["product"].partition(" ")
    proto.doc_string = f"{facts['model']} trained on {facts['data_set']}; input: {INPUT}"
    onnx.checker.check_model(proto, full_check=True)
    content = proto.SerializeToString()
    example = (
        "import numpy as np\nimport onnxruntime\n\n"
        f'session = onnxruntime.InferenceSession("{path.name}")\n'
        "images = np.zeros((1, 28, 28), dtype=np.uint8)\n"
        'logits, probabilities = session.run(None, {"images": images})'
    )
    files = write_with_card(path, content, provenance, correct, INTERFACE, example)
    agreement = f"largest difference from PyTorch {difference:.2g} on {len(expected):,} test images"
    findings = (
        ("logits", agreement),
        ("accuracy", describe_accuracy(correct, len(images))),
        ("input", INPUT),
    )
    return Exported(files, findings)


def convert(trained: TrainedModel) -> Any:
    """The network as an ``onnx.ModelProto``.

    Raises:
        MachineError: an operation in it has no counterpart in ONNX.
    """
    network = PixelsToLogits(trained.model, trained.transforms).eval()
    # Two images, not one: a size of 1 would be taken for a constant.
    example = torch.zeros(2, 28, 28, dtype=torch.uint8)
    try:
        with silence():
            program = torch.onnx.export(
                network,
                (example,),
                input_names=["images"],
                output_names=["logits", "probabilities"],
                dynamic_shapes=({0: torch.export.Dim("N", min=1)},),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, TypeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise MachineError(
            f"{type(trained.model).__name__} cannot be written as ONNX: {reason}\nUse --format"
            " safetensors"
        ) from error
    if program is None:
        raise MachineError(
            f"{type(trained.model).__name__} cannot be written as ONNX.\nUse --format safetensors"
        )
    return program.model_proto


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Suppress progress output and warnings of the exporter."""
    former = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(former)


def run(
    content: bytes, images: "np.ndarray[Any, Any]", portion: int = PORTION
) -> "np.ndarray[Any, Any]":
    """Logits (N, C) that ONNX Runtime computes from uint8 images (N, 28, 28)."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    portions = [images[start : start + portion] for start in range(0, len(images), portion)]
    return np.concatenate([session.run(["logits"], {"images": each})[0] for each in portions])


def compare(
    content: bytes,
    images: "np.ndarray[Any, Any]",
    logits_onnx: "np.ndarray[Any, Any]",
    expected: "np.ndarray[Any, Any]",
) -> float:
    """The largest difference between logits, whatever the number of images in a batch.

    Raises:
        MachineError: it is larger than rounding explains.
    """
    some = images[:14]
    repeated = [
        np.abs(run(content, some, portion) - expected[: len(some)]).max()
        for portion in PORTIONS_COMPARED
    ]
    difference = float(max(np.abs(logits_onnx - expected).max(), *repeated))
    bound = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    # Not "greater than": NaN must be refused as well.
    if not difference <= bound:
        raise MachineError(
            "ONNX Runtime computes other logits than PyTorch: they differ by up to"
            f" {difference:.3g}, allowed is {bound:.3g}. No file was written. Use --format"
            " safetensors"
        )
    return difference
