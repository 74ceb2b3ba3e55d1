"""The model card: a page of Markdown beside an exported network."""

import hashlib
from pathlib import Path

from mnist_trainer.inference.export.formats import ELSEWHERE
from mnist_trainer.inference.export.provenance import Provenance
from mnist_trainer.runs.metrics import wilson_interval
from mnist_trainer.system.files import atomic_write

FACTS = {
    "model": "Network",
    "parameters": "Parameters",
    "data_set": "Trained on",
    "epochs": "Epochs",
    "steps": "Updates",
    "seed": "Seed",
    "weights_sha256": "SHA-256 of the weights",
    "config_sha256": "SHA-256 of the settings",
    "product": "Made with",
    "pytorch": "PyTorch",
}


CARD = """\
# {model} trained on {data_set}

Classifies pictures of 28x28 pixels. It answers {accuracy} correctly, counted
with this file's own network, one view of each image.

## In and out

{interface}

Classes, in the order of the output: {class_names}

It knows nothing but these classes: anything else it is shown becomes one of them. People's own
pictures have to be prepared as the training images were: one sign, cropped, about 20 pixels high,
centred, bright on dark.

## Use

```python
{example}
```

## Where it comes from

| | |
|---|---|
{rows}
| File | `{file}`, {size} bytes |
| SHA-256 of the file | {sha256} |
"""


def card_path(path: Path) -> Path:
    """Where the card of an exported file lies."""
    return path.with_name(f"{path.name}.md")


def write_with_card(
    path: Path, content: bytes, provenance: Provenance, correct: int, interface: str, example: str
) -> tuple[Path, Path]:
    """Write an exported network and its model card.

    Args:
        correct: test images that the exported network classifies correctly.
        interface: inputs and outputs, in Markdown.
        example: Python that uses the file.

    Raises:
        MachineError: a file cannot be written.
    """
    with atomic_write(path, len(content), elsewhere=ELSEWHERE) as file:
        file.write(content)
    facts = provenance.describe(correct)
    card = card_path(path)
    text = CARD.format(
        **facts,
        accuracy=describe_accuracy(correct, len(provenance.test_labels)),
        interface=interface,
        example=example,
        rows="\n".join(f"| {title} | {facts[key]} |" for key, title in FACTS.items()),
        file=path.name,
        size=f"{len(content):,}",
        sha256=hashlib.sha256(content).hexdigest(),
    )
    with atomic_write(card, elsewhere=ELSEWHERE) as file:
        file.write(text.encode())
    return path, card


def describe_accuracy(correct: int, count: int) -> str:
    """Accuracy on the test images, with its 95 % interval."""
    low, high = (100 * bound for bound in wilson_interval(correct, count))
    share = f"{100 * correct / count:.2f} % of {count:,} test images"
    return f"{share} (95 % interval {low:.2f} to {high:.2f})"
