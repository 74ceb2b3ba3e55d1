"""``mnist-report``: report on a run, a sweep, two recipes, or what differs between two runs."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from mnist_trainer.cli.arguments import ArgumentParser, typed_words
from mnist_trainer.cli.exit import exit_codes, output_named
from mnist_trainer.errors import ConfigError
from mnist_trainer.report.read.destination import STDOUT, SUFFIXES, check_destination
from mnist_trainer.runs.latest import run_path
from mnist_trainer.system.paths import user_path

BESIDE = ""
"""A format without a FILE; the default place is filled in later."""
REPORT_NAME = "report.html"
COMPARE, DIFF = "--compare", "--diff"
POWER, TENSORBOARD = "--power", "--tensorboard"
EPILOG = """\
  mnist-report outputs/latest            one run: result, curves, mistakes, configuration
  mnist-report outputs/multirun/NAME     a sweep: ranking, effect of each setting, every run
  mnist-report outputs/multirun/NAME --html          the same with pictures, as one file to mail
  mnist-report A B --compare             is one better? interval over seeds, test over images
  mnist-report A B --diff                only what differs between two runs, and from which step
  mnist-report outputs/multirun/NAME --power 0.1     how many seeds show 0.1 points?
  mnist-report outputs/multirun/NAME --tensorboard   each recipe's mean and interval as curves
  mnist-report 'outputs/multirun/s/*cnn*' B --compare    a pattern in quotes: runs of one recipe

A DIR is the folder of a run, a folder with runs below it, or a pattern.
FILE may be - for standard output."""


@dataclass(frozen=True)
class Request:
    """The parsed command line."""

    folders: tuple[str, ...]
    about_two: str
    """--compare, --diff, or empty."""
    about_seeds: str
    """--power, --tensorboard, or empty."""
    points: float | None
    """Of accuracy, that --power is to show."""
    targets: dict[str, str]
    """Format to file; empty for a report on the terminal."""


def main() -> None:
    """Entry point of the console script."""
    with exit_codes("mnist-report"):
        request = parse(typed_words())
        with output_named():
            report(request)


def report(request: Request) -> None:
    """Read the runs, and print or write the report."""
    from mnist_trainer.report.analysis.comparison import compare_named
    from mnist_trainer.report.analysis.run_difference import difference_of_named
    from mnist_trainer.report.read.discovery import find_runs, merge
    from mnist_trainer.report.render.outputs import (
        show_bands,
        show_comparison,
        show_difference,
        show_power,
        show_runs,
    )

    parts = [find_runs(folder) for folder in request.folders]
    if request.about_two == COMPARE:
        show_comparison(compare_named(request.folders, parts), request.targets)
    elif request.about_two == DIFF:
        show_difference(difference_of_named(request.folders, parts), request.targets)
    elif request.about_seeds == POWER:
        show_power(merge(parts), request.folders, request.points, request.targets)
    elif request.about_seeds == TENSORBOARD:
        show_bands(merge(parts), request.folders[0])
    else:
        show_runs(merge(parts), request.folders, request.targets)


def parse(words: Sequence[str]) -> Request:
    """Parse the command line.

    Raises:
        ConfigError: an unknown option, no folder, two formats for one place, or
            --diff with --compare.
    """
    parser = _parser()
    given = parser.parse_intermixed_args(list(words))
    folders, targets = list(given.folders), {}
    for form in SUFFIXES:
        target = getattr(given, form)
        if target and target in words and run_path(target).is_dir():
            # `--html DIR` names a folder to report on. Beside another it can be meant as either.
            if len(given.folders) > bool(given.about_two):
                raise _ambiguous(form, target, given.folders)
            folders.append(target)
            target = BESIDE
        if target is not None:
            # Standard output may lead to a file, which must not be opened a second time.
            target = STDOUT if target == "/dev/stdout" else target
            targets[form] = target or (BESIDE if form == "html" else STDOUT)
    folders.sort(key=words.index)
    if not folders:
        parser.error("no folder was named")
    about_seeds, points = _about_seeds(given, folders, targets)
    checked_targets = checked(targets, folders)
    return Request(tuple(folders), given.about_two, about_seeds, points, checked_targets)


def _about_seeds(
    given: Namespace, folders: Sequence[str], targets: Mapping[str, str]
) -> tuple[str, float | None]:
    """What is asked about seeds: --power with its difference, --tensorboard, or nothing.

    Raises:
        ConfigError: beside what it cannot be combined with, or no difference.
    """
    asked = TENSORBOARD if given.tensorboard else POWER if given.power is not None else ""
    if asked == TENSORBOARD and (given.power is not None or targets or len(folders) > 1):
        raise ConfigError(
            f"{TENSORBOARD}: takes one sweep, and writes beside its folder. Type: mnist-report"
            f" {quote(folders[0])} {TENSORBOARD}"
        )
    if asked and given.about_two:
        raise ConfigError(f"{asked}, {given.about_two}: ask for one at a time.")
    if not given.power:
        return asked, None
    try:
        points = float(given.power)
    except ValueError:
        points = 0.0
    if not 0 < points <= 100:
        raise ConfigError(
            f"{POWER} {given.power}: must be a number of points of accuracy, above 0 and at most"
            f" 100; folders come before it. Type: mnist-report {quote(folders[0])} {POWER} 0.1"
        )
    return asked, points


def _parser() -> ArgumentParser:
    parser = ArgumentParser("mnist-report", "Report on runs: one, two, or a sweep.", EPILOG)
    folders = "folder of a run or of a sweep"
    parser.add_argument("folders", nargs="*", type=_possible, metavar="DIR", help=folders)
    about_two = parser.add_mutually_exclusive_group()
    for name, text in (
        (COMPARE, "compare two recipes, A and B"),
        (DIFF, "what differs between two runs, A and B"),
    ):
        about_two.add_argument(
            name, dest="about_two", action="store_const", const=name, default="", help=text
        )
    parser.add_argument(
        POWER,
        nargs="?",
        const=BESIDE,
        metavar="POINTS",
        help="what so many seeds can show, and how many seeds a difference of POINTS takes",
    )
    text = "write mean and interval of each recipe's curves beside DIR, for TensorBoard"
    parser.add_argument(TENSORBOARD, action="store_true", help=text)
    for form in SUFFIXES:
        default = f"{REPORT_NAME} in DIR" if form == "html" else "standard output"
        parser.add_argument(
            f"--{form}",
            nargs="?",
            type=_possible,
            const=BESIDE,
            metavar="FILE",
            help=f"write {form} to FILE (default: {default})",
        )
    return parser


def _possible(text: str) -> str:
    """A word as it was typed, which can be a path; empty for the default place."""
    if text:
        user_path(text)
    return text


def _ambiguous(form: str, target: str, folders: Sequence[str]) -> ConfigError:
    named = " ".join(map(quote, folders))
    return ConfigError(
        f"--{form} {target}: a folder, where --{form} takes a FILE. To write a report"
        f" there: --{form} {quote(str(Path(target) / f'report{SUFFIXES[form]}'))}. To"
        f" report on this folder, too, name it before the options: mnist-report {named}"
        f" {quote(target)} --{form}"
    )


def checked(targets: dict[str, str], folders: Sequence[str]) -> dict[str, str]:
    """Fill in default places and check all.

    Raises:
        ConfigError: two for one place, or a file that belongs to a run.
    """
    here = run_path(folders[0]) if len(folders) == 1 else Path()
    here = here if here.is_dir() else Path()
    placed = {form: target or str(here / REPORT_NAME) for form, target in targets.items()}
    for form, target in list(placed.items()):
        if list(placed.values()).count(target) > 1:
            raise ConfigError(
                f"--{form}: two formats go to the same place, {target}. Name a FILE for each."
            )
        if target != STDOUT:
            placed[form] = str(user_path(target, f"--{form} {target}"))
            check_destination(form, placed[form])
    return placed


if __name__ == "__main__":
    main()
