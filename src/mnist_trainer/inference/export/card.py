"""The model card: a page of Markdown beside an exported network."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from mnist_trainer.inference.export.formats import ELSEWHERE
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


def card_path(path: Path) -> Path:
    """Where the card of an exported file lies."""
    return path.with_name(f"{path.name}.md")


def write_card(path: Path, facts: Mapping[str, str], interface: str, example: str) -> Path:
    """Write the card of the file at ``path``.

    Args:
        interface: what goes in and what comes out, in Markdown.
        example: Python that uses the file.
    """
    accuracy = 100 * float(facts["test_accuracy"])
    low, high = (
        f"{100 * float(bound):.2f}" for bound in facts["test_accuracy_interval_95"].split(" to ")
    )
    rows = "\n".join(f"| {title} | {facts[key]} |" for key, title in FACTS.items())
    text = f"""# {facts["model"]} trained on {facts["data_set"]}

Classifies pictures of 28x28 pixels. It answers {accuracy:.2f} % of {int(facts["test_images"]):,} test images
rightly (95 % interval {low} to {high}), counted with this file's own network, one view of each image.

## In and out

{interface}

Classes, in the order of the output: {facts["class_names"]}

It knows nothing but these classes: anything else it is shown becomes one of them. People's own pictures have to be
prepared as the training images were: one sign, cropped, about 20 pixels high, centred, bright on dark.

## Use

```python
{example}
```

## Where it comes from

| | |
|---|---|
{rows}
| File | `{path.name}`, {path.stat().st_size:,} bytes |
| SHA-256 of the file | {hashlib.sha256(path.read_bytes()).hexdigest()} |
"""
    card = card_path(path)
    with atomic_write(card, elsewhere=ELSEWHERE) as file:
        file.write(text.encode())
    return card
