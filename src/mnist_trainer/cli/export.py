"""``mnist-export``: export a trained network."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from mnist_trainer.cli.arguments import ArgumentParser, a_path, refuse_no_folder, typed_words
from mnist_trainer.cli.exit import exit_codes, warnings_named
from mnist_trainer.errors import ConfigError
from mnist_trainer.inference.export.formats import ELSEWHERE, FORMATS, Exported
from mnist_trainer.runs.folder import display_path
from mnist_trainer.runs.lookup import locate_checkpoint
from mnist_trainer.system.console import printable
from mnist_trainer.system.openmp import limit_openmp_spinning
from mnist_trainer.system.optional_packages import require_packages

if TYPE_CHECKING:
    from mnist_trainer.inference.trained_model import TrainedModel

SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))

EPILOG = """\
formats:
{formats}

examples:
  mnist-export outputs/latest --format onnx
  mnist-export outputs/latest --format safetensors --output digits.safetensors
  mnist-export outputs/latest --format html --output digits.html
  mnist-export outputs/latest --format lesson
  mnist-export RUN OTHER_RUN --format lesson --output both.html

Beside a file of weights a model card is written. Without --output it is RUN/export/model.SUFFIX,
of a lesson RUN/export/lesson.html."""


def main() -> None:
    """Entry point of the console script."""
    with exit_codes("mnist-export"), warnings_named("mnist-export"):
        arguments = parse(typed_words())
        form = FORMATS[arguments.format]
        refuse_two_runs(arguments)
        located = locate_checkpoint(arguments.run, arguments.checkpoint)
        path = output_path(arguments.output, located.home, form.suffix, form.stem)
        require_packages(f"--format {arguments.format}", *form.modules)
        limit_openmp_spinning()
        from mnist_trainer.inference.loading import load_run

        # As others will compute it: one view, 32 bits, on the processor that everybody has.
        runs = [arguments.run, *([arguments.other] if arguments.other else [])]
        trained, *others = (
            load_run(run, arguments.checkpoint, "cpu", translations=1, precision="fp32")
            for run in runs
        )
        show(form.load()(trained, path, *others), views_note(trained))


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Parse the command line.

    Raises:
        ConfigError: an argument is invalid.
    """
    width = max(map(len, FORMATS))
    formats = "\n".join(f"  {name:<{width}}  {each.about}" for name, each in FORMATS.items())
    parser = ArgumentParser(
        "mnist-export",
        "Write a trained network as a file that is safe to load.",
        EPILOG.format(formats=formats),
    )
    add = parser.add_argument
    parser.add_run()
    add(
        "other",
        nargs="?",
        metavar="OTHER_RUN",
        help="a second run, for a lesson that shows both on one drawing",
    )
    add("--format", required=True, choices=FORMATS, metavar="FORMAT", help=", ".join(FORMATS))
    add(
        "--output",
        type=a_path,
        metavar="PATH",
        help="the file to write, or a folder for it (with / at its end if it is to be made)",
    )
    return parser.parse_args(words)


def refuse_two_runs(arguments: argparse.Namespace) -> None:
    """Check that a second run is named only for a format that shows two.

    Raises:
        ConfigError: it is named for another.
    """
    if arguments.other and arguments.format != "lesson":
        runs = f"{quote(arguments.run)} {quote(arguments.other)}"
        raise ConfigError(
            f"{runs}: --format {arguments.format} exports one run; only a lesson shows two. Type:"
            f" mnist-export {runs} --format lesson"
        )


def output_path(asked: str | None, home: Path, suffix: str, stem: str = "model") -> Path:
    """The file to write.

    Raises:
        ConfigError: its ending is that of another format.
        MachineError: there is something else in its place, or nothing can be written there.
    """
    name = f"{stem}{suffix}"
    path = home / "export" / name if asked is None else Path(asked)
    # A slash at the end names a folder, which may still be to be made.
    is_folder = asked is not None and asked.endswith(SEPARATORS)
    if path.is_dir() or is_folder:
        path = path / name
    if path.suffix != suffix:
        raise ConfigError(
            f"--output {path}: a file of this format ends in {suffix}. Type: --output"
            f" {path.with_suffix(suffix)}"
        )
    refuse_no_folder(path.parent, ELSEWHERE)
    return path


def views_note(trained: "TrainedModel") -> list[tuple[str, str]]:
    """That the file scores less than the run, whose own test averaged several views."""
    views = trained.config.trainer.translations
    if views == 1:
        return []
    told = f"mnist-eval {quote(str(trained.folder or trained.checkpoint.path))}"
    note = f"one of each image; the run's own test averaged {views}, which scores more: {told}"
    return [("views", note)]


def show(exported: Exported, notes: Sequence[tuple[str, str]] = ()) -> None:
    """What was written and what was checked."""
    rows = [*exported.findings, *notes]
    rows += [
        ("written", f"{display_path(path)} ({path.stat().st_size:,} bytes)")
        for path in exported.files
    ]
    width = max(len(name) for name, _ in rows) + 2
    for name, value in rows:
        print(printable(f"{name + ':':<{width}}{value}"))


if __name__ == "__main__":
    main()
