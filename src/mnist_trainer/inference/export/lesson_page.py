"""Export to a lesson: one HTML file in which a class watches a network compute, learn and fail.

The network, its derivatives and the update run in the page; tests hold that they equal PyTorch's.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from mnist_trainer.inference.export.bundle import bundle, content_hash, render
from mnist_trainer.inference.export.formats import ELSEWHERE, Exported
from mnist_trainer.inference.export.lesson_data import (
    SAMPLES,
    Part,
    bits_for,
    images_part,
    neighbours,
    network_part,
    test_network,
)
from mnist_trainer.inference.export.lesson_film import film_of, film_part, held_out_part
from mnist_trainer.models.summary import count_parameters
from mnist_trainer.system.files import atomic_write

if TYPE_CHECKING:
    from mnist_trainer.inference.trained_model import TrainedModel

LESSON = Path(__file__).parent / "lesson"
STYLES = (
    LESSON.parent / "page" / "style.css",
    LESSON / "lesson.css",
    LESSON / "experiments.css",
)


def write_lesson(
    trained: "TrainedModel", path: Path, other: "TrainedModel | None" = None
) -> Exported:
    """Write the lesson of a trained network.

    Args:
        other: a second network, that answers to the same drawing.

    Raises:
        ConfigError: a network has a part that the page cannot compute, or too many parameters; or
            the two have other classes.
        DataError: the data set of the run cannot be read.
        MachineError: the file cannot be written.
    """
    networks = [trained] if other is None else [trained, other]
    content = lesson_page(networks).encode("utf-8")
    with atomic_write(path, len(content), elsewhere=ELSEWHERE) as file:
        file.write(content)
    bits = bits_for(networks)
    kept = "float32" if bits == 32 else "16 bits each; the page computes with the rounded ones"
    findings = (
        *(("network", f"{count_parameters(e.model):,} parameters, {kept}") for e in networks),
        ("size", f"{len(content) / 1000:,.0f} kB, everything in one file; it contacts no server"),
    )
    return Exported((path,), findings)


def lesson_page(networks: "Sequence[TrainedModel]") -> str:
    """Render the lesson of a network; of two for ``compare.js``."""
    texts = json.loads((LESSON / "texts.json").read_text(encoding="utf-8"))
    script = bundle(LESSON / "main.js")
    style = "".join(each.read_text(encoding="utf-8") for each in STYLES)
    return render(
        LESSON / "lesson.html.jinja",
        texts=texts["page"],
        payload={"texts": texts, **payload(networks)},
        style=Markup(style),  # noqa: S704
        style_hash=content_hash(style),
        script=Markup(script),  # noqa: S704
        script_hash=content_hash(script),
    )


def payload(networks: "Sequence[TrainedModel]") -> dict[str, Any]:
    """All data of the page: ``networks``, and ``parts`` that its views decode when they need
    them."""
    bits = bits_for(list(networks))
    tested = [test_network(each) for each in networks]
    parts: dict[str, Part] = {
        "samples": images_part(tested[0].test.first(SAMPLES)),
        "mistakes": images_part(tested[0].mistakes),
        "neighbours": images_part(neighbours(tested[0].trained)),
    }
    film = film_of(networks[0])
    parts["held_out"] = held_out_part(networks, film)
    if film is not None:
        parts["film"] = film_part(film, networks[0])
    return {"networks": [network_part(each, bits) for each in tested], "parts": parts}
