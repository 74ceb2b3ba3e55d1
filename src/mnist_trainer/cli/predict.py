"""``mnist-predict``: recognise the digits of people's own pictures."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mnist_trainer.cli.arguments import ArgumentParser, a_path, refuse_no_folder, typed_words
from mnist_trainer.cli.exit import exit_codes, warnings_named
from mnist_trainer.system.openmp import limit_openmp_spinning

EPILOG = """\
examples:
  mnist-predict outputs/latest seven.jpg             one photograph
  mnist-predict outputs/latest photos/ 'scan*.png'   a folder and a pattern
  mnist-predict outputs/latest --digits many note.jpg --show
  cat seven.png | mnist-predict outputs/latest - --json

Any size and colour, dark on light or light on dark, ruled paper, shading. A picture that cannot be
used is named with what is wrong with it, the others are recognised, and the exit code is 2."""


def main() -> None:
    """Entry point of the console script."""
    with exit_codes("mnist-predict"), warnings_named("mnist-predict"):
        arguments = parse(typed_words())
        if arguments.show:
            refuse_no_folder(arguments.show_dir, "--show-dir DIR")
        limit_openmp_spinning()
        from mnist_trainer.inference.digit_images.classify import classify_images

        sys.exit(classify_images(arguments))


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Parse the command line.

    Raises:
        ConfigError: an argument is invalid.
    """
    parser = ArgumentParser(
        "mnist-predict", "Recognise the digits of your own pictures with a trained network.", EPILOG
    )
    add = parser.add_argument
    parser.add_run()
    add(
        "pictures",
        metavar="IMAGE",
        nargs="+",
        help="files, folders, patterns; - reads one picture from standard input",
    )
    add(
        "--digits",
        choices=("one", "many"),
        default="one",
        help="how many are in each picture (default: one)",
    )
    top = "classes listed for each digit (default: 3)"
    add("--top", type=at_least_one, default=3, metavar="K", help=top)
    add("--show", action="store_true", help="draw what the network is shown, here and as PNG files")
    add(
        "--show-dir",
        type=a_path,
        default="seen",
        metavar="DIR",
        help="folder of the PNG files (default: seen)",
    )
    add("--json", action="store_true", help="one JSON document in place of text")
    add("--device", default="auto", metavar="NAME", help="auto, cpu, cuda, mps (default: auto)")
    arguments = parser.parse_args(words)
    arguments.show_dir = Path(arguments.show_dir)
    return arguments


def at_least_one(text: str) -> int:
    """A count of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count of 1 or more")
    return int(text)


if __name__ == "__main__":
    main()
