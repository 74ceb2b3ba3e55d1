"""Export to one HTML file: a page to draw digits on that runs the network offline.

Its scripts are tested to compute what ``mnist-predict`` computes for the same image.
"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from mnist_trainer.inference.digit_images.prepare import DIGIT_NAMES, knows_digits
from mnist_trainer.inference.export.bundle import concatenate, content_hash, render
from mnist_trainer.inference.export.formats import ELSEWHERE, Exported
from mnist_trainer.inference.export.html_network import describe, describe_segmentation
from mnist_trainer.models.summary import count_parameters
from mnist_trainer.system.files import atomic_write
from mnist_trainer.system.messages import counted

if TYPE_CHECKING:
    from mnist_trainer.inference.trained_model import TrainedModel

PARTS = Path(__file__).parent / "page"
SCRIPTS = (
    "placement.js",
    "background.js",
    "lines.js",
    "candidates.js",
    "segmentation.js",
    "picture.js",
    "network.js",
    "strokes.js",
    "drawing.js",
)


def write_html(trained: "TrainedModel", path: Path) -> Exported:
    """Write the page of a trained network. It averages as many shifted views of a drawing as the
    run's own test does.

    Raises:
        ConfigError: the network has a part that the page cannot compute; the message names it.
        MachineError: the file cannot be written.
    """
    as_tested = dataclasses.replace(trained, translations=trained.config.trainer.translations)
    content = page(as_tested).encode("utf-8")
    with atomic_write(path, len(content), elsewhere=ELSEWHERE) as file:
        file.write(content)
    findings = (
        (
            "network",
            f"{count_parameters(trained.model):,} parameters as float32, computed in the browser",
        ),
        ("size", f"{len(content) / 1000:,.0f} kB, everything in one file; it contacts no server"),
    )
    return Exported((path,), findings)


def page(trained: "TrainedModel") -> str:
    """Render the page."""
    script = concatenate([PARTS / name for name in SCRIPTS])
    return render(
        PARTS / "page.html.jinja",
        knows_digits=tuple(trained.class_names) == DIGIT_NAMES,
        class_names=trained.class_names,
        provenance=provenance(trained),
        network=describe(trained),
        segmentation=describe_segmentation() if knows_digits(trained.class_names) else None,
        style=Markup((PARTS / "style.css").read_text(encoding="utf-8")),  # noqa: S704
        script=Markup(script),  # noqa: S704
        script_hash=content_hash(script),
    )


def provenance(trained: "TrainedModel") -> str:
    """Which network this is, in a sentence."""
    config = trained.config
    return (
        f"Network: {config.model.choice}, {count_parameters(trained.model):,} parameters (float32),"
        f" trained on {config.data.name} for {counted(trained.checkpoint.epoch, 'epoch')}; weights"
        f" {trained.checkpoint.sha256[:12]}."
    )
