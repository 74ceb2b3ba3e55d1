"""Export to safetensors: the weights, bit for bit, and metadata."""

import json
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

from mnist_trainer.errors import MachineError
from mnist_trainer.inference.export.formats import Exported
from mnist_trainer.inference.export.model_card import describe_accuracy, write_with_card
from mnist_trainer.inference.export.provenance import find_provenance
from mnist_trainer.inference.trained_model import TrainedModel

INTERFACE = """\
The file holds the weights and buffers under their names in the PyTorch network; the metadata hold
the settings that the network is built from (`model_settings`) and what its images go through
(`transforms`), as JSON. Images are uint8 (N, 28, 28), bright ink on dark ground, divided by 255
before the transforms. Out come logits, (N, C)."""


def write_safetensors(trained: TrainedModel, path: Path) -> Exported:
    """Write the weights, and their card beside them.

    Raises:
        MachineError: what was written does not read back as it was; no file is left.
    """
    provenance = find_provenance(trained)
    correct = provenance.count_correct(trained.logits(provenance.test_images).numpy())
    metadata = {
        **provenance.describe(correct),
        "format": "pt",
        "model_settings": json.dumps(trained.config.model.node),
        "transforms": json.dumps([component.node for component in trained.config.transforms.fixed]),
    }
    # Copies: the format holds no tensors that share memory, as tied weights do.
    weights = {
        name: tensor.detach().cpu().contiguous().clone()
        for name, tensor in trained.model.state_dict().items()
    }
    content = save(weights, metadata)
    check_bits(content, weights)
    example = (
        f'from safetensors import safe_open\n\nwith safe_open("{path.name}", framework="pt") as'
        " file:\n    facts = file.metadata()\n    weights = {name: file.get_tensor(name) for name"
        " in file.keys()}"
    )
    files = write_with_card(path, content, provenance, correct, INTERFACE, example)
    findings = (
        ("weights", f"{len(weights)} tensors, read back bit for bit"),
        ("accuracy", describe_accuracy(correct, len(provenance.test_labels))),
    )
    return Exported(files, findings)


def check_bits(content: bytes, weights: dict[str, Tensor]) -> None:
    """Read the bytes back and compare them with the weights.

    Raises:
        MachineError: they differ.
    """
    again = load(content)
    same = again.keys() == weights.keys() and all(
        again[name].dtype == tensor.dtype
        and again[name].shape == tensor.shape
        and torch.equal(
            again[name].reshape(-1).view(torch.uint8), tensor.reshape(-1).view(torch.uint8)
        )
        for name, tensor in weights.items()
    )
    if not same:
        raise MachineError(
            "safetensors reads back other weights than were written. No file was written."
        )
