"""``mnist-eval --card``: make the evaluation card of a network, print it, write its files."""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_trainer.errors import ConfigError
from mnist_trainer.inference.card.parts import EFFORTS, PARTS, parse_parts
from mnist_trainer.runs.checksums import add_checksum
from mnist_trainer.runs.folder import display_path
from mnist_trainer.runs.lookup import Located
from mnist_trainer.system.console import printable
from mnist_trainer.system.files import atomic_write, write_json
from mnist_trainer.system.messages import nearest

if TYPE_CHECKING:
    import numpy as np

    Pictures = dict[str, np.ndarray[Any, np.dtype[np.uint8]]]

FULL = "full"
NAMES = tuple(EFFORTS)


def add_card_options(parser: ArgumentParser) -> None:
    """Add --card and --parts."""
    add = parser.add_argument
    add(
        "--card",
        nargs="?",
        type=effort_name,
        const=FULL,
        metavar="EFFORT",
        help="how it does where test images do not look: quick (a minute) or full (default)",
    )
    add("--parts", metavar="LIST", help=f"of the card: {', '.join(PARTS)} (default: all)")


def effort_name(text: str) -> str:
    """The value of --card.

    Raises:
        ConfigError: it is neither of the two.
    """
    if text not in NAMES:
        meant = nearest(text, NAMES)
        typed = "mnist-eval RUN --card quick" if meant else f"mnist-eval {text} --card"
        raise ConfigError(
            f"--card {text}: must be quick or full; without either it is full.{meant}"
            f"\nType: {typed}"
        )
    return text


def check_options(arguments: Namespace) -> tuple[str, ...]:
    """The parts that are asked for.

    Raises:
        ConfigError: an option that does not go with the others, or an unknown part.
    """
    if arguments.card is None:
        if arguments.parts is not None:
            raise ConfigError(
                f"--parts {arguments.parts}: the parts of a card, and no card is asked for. Type:"
                f" mnist-eval {arguments.run} --card --parts {arguments.parts}"
            )
        return ()
    refused = {"--data": arguments.data, "--split": arguments.split}
    for option, value in refused.items():
        if value not in (None, "test"):
            raise ConfigError(
                f"{option} {value} with --card: a card is of the test images of the run's own data,"
                f" and fetches others itself. Leave out {option}, or leave out --card."
            )
    return parse_parts(arguments.parts)


def evaluate_card(
    arguments: Namespace, parts: tuple[str, ...], located: Located, folder: Path, stem: str
) -> None:
    """Make the card, write its files into ``folder``, and print it.

    Args:
        stem: of the names of its files.
    """
    from mnist_trainer.inference.card.card import make_card
    from mnist_trainer.inference.loading import load_run
    from mnist_trainer.system.progress import steps_shown

    trained = load_run(arguments.run, arguments.checkpoint, arguments.device)
    with steps_shown() as begin:
        card = make_card(trained, EFFORTS[arguments.card], parts, begin, arguments.data_root)
    path = folder / f"{stem}.json"
    write_json(path, card.values, elsewhere="--output DIR")
    if located.folder and path.resolve() == located.folder.card.resolve():
        add_checksum(located.folder, path.name)
    written = [("numbers", display_path(path))]
    document = _document(card.values, card.pictures)
    if not arguments.no_figures:
        written += _write_pictures(card.values, card.pictures, folder, stem)
        written.append(("page", display_path(_write_page(document, folder / f"{stem}.html"))))
    if arguments.json:
        print(json.dumps(card.values, indent=2, ensure_ascii=False))
        return
    from mnist_trainer.report.render.terminal import print_document

    print_document(document)
    width = max(len(name) for name, _ in written) + 2
    print()
    for name, value in written:
        print(printable(f"{name + ':':<{width}}{value}"))


def _document(values: dict[str, Any], pictures: "Pictures") -> Any:
    from mnist_trainer.report.read.json_values import JsonValues
    from mnist_trainer.report.render.card_document import card_document

    return card_document(JsonValues(values), pictures)


def _write_page(document: Any, path: Path) -> Path:
    from mnist_trainer.report.render.html import page

    content = page(document).encode(errors="replace")
    with atomic_write(path, len(content), elsewhere="--output DIR") as file:
        file.write(content)
    return path


def _write_pictures(
    values: dict[str, Any], pictures: "Pictures", folder: Path, stem: str
) -> list[tuple[str, str]]:
    """PNG files, and TensorBoard.

    Returns:
        What to say of them: name and value.
    """
    from io import BytesIO
    from shlex import quote

    from PIL import Image

    from mnist_trainer.inference.card.board import write_board
    from mnist_trainer.report.read.json_values import JsonValues
    from mnist_trainer.report.render.card_figures import card_figures
    from mnist_trainer.report.render.raster import pixels

    drawn = {name: pixels(draw) for name, draw in card_figures(JsonValues(values)).items()}
    # Under names of their own: an earlier file of the same name is of the same picture.
    shown = {**drawn, **pictures}
    for name, image in shown.items():
        packed = BytesIO()
        Image.fromarray(image).save(packed, "PNG", optimize=True)
        path = folder / "figures" / f"{stem}-{name.replace('_', '-')}.png"
        with atomic_write(path, packed.tell(), elsewhere="--output DIR") as file:
            file.write(packed.getvalue())
    write_board(values, shown, folder / stem, "--output DIR")
    board = f"tensorboard --logdir {quote(display_path(folder))}  (Scalars, Images)"
    figures = f"{display_path(folder / 'figures')}, {len(shown)} PNG files"
    return [("figures", figures), ("TensorBoard", board)]
