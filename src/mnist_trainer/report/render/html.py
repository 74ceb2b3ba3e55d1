"""A report as one HTML file: styles and pictures are inside, nothing is loaded.

One script sorts tables; the page allows it by its hash, and no other.
"""

import base64
import hashlib
import io

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from mnist_trainer.report.render.document import Document, Picture, clean
from mnist_trainer.report.render.svg import svg
from mnist_trainer.system.version import __version__


def page(document: Document) -> str:
    """The whole file. Text from run folders is escaped, and stripped of control characters."""
    environment = Environment(
        loader=PackageLoader("mnist_trainer.report.render"),
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else clean(value),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "template": lambda block: f"{type(block).__name__.lower()}.html.jinja",
        "svg": _svg,
        "png": _png,
        "shares": _shares,
    }
    script = Markup(environment.get_template("sort.js").render())  # noqa: S704
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = environment.get_template("page.html.jinja")
    return template.render(document=document, version=__version__, script=script, digest=digest)


def _svg(picture: Picture) -> Markup:
    # Matplotlib escapes the labels of a figure.
    return Markup(svg(picture.draw, clean(picture.alt)))  # noqa: S704


def _png(image: NDArray[np.uint8]) -> str:
    """A PNG file in base64."""
    from PIL import Image

    packed = io.BytesIO()
    Image.fromarray(image).save(packed, "PNG", optimize=True)
    return base64.b64encode(packed.getvalue()).decode()


def _shares(counts: NDArray[np.int64]) -> list[list[int]]:
    """Percent of colour for each cell; the diagonal and the mistakes have scales of their own."""
    diagonal = np.eye(len(counts), dtype=bool)
    most_right = max(1, counts[diagonal].max(initial=0))
    most_wrong = max(1, counts[~diagonal].max(initial=0))
    shares = 12 + np.where(diagonal, 25 * counts / most_right, 55 * counts / most_wrong)
    rounded: list[list[int]] = shares.round().astype(int).tolist()
    return rounded
