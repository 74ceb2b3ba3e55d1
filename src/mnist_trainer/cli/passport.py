"""``mnist-passport``: what this machine is, whether it computes right, and how quickly."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_trainer.cli.arguments import ArgumentParser, typed_words
from mnist_trainer.cli.exit import exit_codes, output_named
from mnist_trainer.errors import ConfigError, ExitCode
from mnist_trainer.report.read.destination import STDOUT, check_destination
from mnist_trainer.system.openmp import limit_openmp_spinning
from mnist_trainer.system.paths import user_path

MOST_THREADS = 4096
DEFAULTS = {"json": "passport.json", "html": "passport.html"}
EPILOG = """\
  mnist-passport                         measure this machine: a minute, passport.json and .html
  mnist-passport --quick                 about 15 seconds, without the run to 99 %
  mnist-passport A.json                  show a passport
  mnist-passport A.json B.json           compare two machines
  mnist-passport A.json B.json --html both.html

Exit code 6 if the machine gives an alarm. python -m mnist_trainer.doctor is the quick check of
what a run needs. FILE may be - for standard output."""


@dataclass(frozen=True)
class Request:
    """The parsed command line."""

    files: tuple[str, ...]
    quick: bool
    threads: int | None
    record: str | None
    """File of known kinds to add this machine to."""
    targets: dict[str, str]
    """Format to file."""


def main() -> None:
    """Entry point of the console script."""
    with exit_codes("mnist-passport"):
        request = parse(typed_words())
        with output_named():
            sys.exit(run(request))


def run(request: Request) -> ExitCode:
    """Measure this machine, or show or compare passports."""
    if request.files:
        show_files(request)
        return ExitCode.OK
    limit_openmp_spinning()
    from mnist_trainer.launch.passport.measure import make_passport
    from mnist_trainer.report.render.outputs import show_passport
    from mnist_trainer.system.progress import steps_shown

    with steps_shown() as step:
        passport = make_passport(request.threads, request.quick, step)
    show_passport(passport, request.targets)
    if request.record is not None:
        record(request.record, passport)
    alarmed = any(finding["advice"] for finding in passport["findings"])
    return ExitCode.ENVIRONMENT if alarmed else ExitCode.OK


def show_files(request: Request) -> None:
    """Show one passport, or compare two."""
    from mnist_trainer.report.analysis.passport_comparison import compare_passports
    from mnist_trainer.report.read.passport import read_passport
    from mnist_trainer.report.render.outputs import show_passport, show_passport_comparison

    passports = [read_passport(Path(file)) for file in request.files]
    if len(passports) == 1:
        show_passport(passports[0].values, request.targets)
        return
    a, b = passports
    names = (request.files[0], request.files[1])
    show_passport_comparison(compare_passports(a, b, names), request.targets)


def record(file: str, passport: Mapping[str, Any]) -> None:
    """Add this kind of machine to a file of known kinds.

    Raises:
        ConfigError: it computes wrongly, or the file holds other digests for it.
    """
    from mnist_trainer.compute.passport.known import record_kinds
    from mnist_trainer.launch.passport.reference import entries_to_record

    wrong = [row["check"] for row in passport["findings"] if row["advice"]]
    if {"exact products", "replays"} & set(wrong):
        raise ConfigError(f"--record-known {file}: not recorded: {', '.join(wrong)} give an alarm.")
    try:
        new = record_kinds(Path(file), entries_to_record(passport["reference"]))
    except ValueError as error:
        raise ConfigError(
            f"--record-known {file}: {error}. Find out why before one is replaced."
        ) from error
    print(f"{file}: {new} new kinds", file=sys.stderr)


def parse(words: Sequence[str]) -> Request:
    """Parse the command line.

    Raises:
        ConfigError: an unknown option, more than two files, a place that cannot be written to.
    """
    parser = _parser()
    given = parser.parse_intermixed_args(list(words))
    if len(given.files) > 2:
        parser.error(f"{len(given.files)} files, where at most two are compared")
    for option in ("quick", "threads", "record_known"):
        if given.files and getattr(given, option):
            name = option.replace("_", "-")
            parser.error(f"--{name} measures this machine, so no file goes with it")
    targets = {form: value for form in DEFAULTS if (value := getattr(given, form)) is not None}
    if not targets and not given.files:
        targets = dict(DEFAULTS)
    return Request(
        tuple(str(user_path(file)) for file in given.files),
        given.quick,
        given.threads,
        given.record_known,
        checked(targets, given.files),
    )


def checked(targets: dict[str, str], files: Sequence[str]) -> dict[str, str]:
    """Check the files to write.

    Raises:
        ConfigError: two for one place, one that is read, or one that cannot be written.
    """
    for form, target in list(targets.items()):
        if list(targets.values()).count(target) > 1:
            raise ConfigError(f"--{form}: two formats go to the same place, {target}.")
        if target == STDOUT:
            continue
        path = user_path(target, f"--{form} {target}")
        is_passport = form == "html" and path.suffix == ".json"
        if is_passport or any(path.resolve() == user_path(file).resolve() for file in files):
            raise ConfigError(
                f"--{form} {target}: a passport is not overwritten by a report. Name the passports"
                f" before the options, or another FILE: --{form} report.{form}"
            )
        targets[form] = str(path)
        check_destination(form, targets[form])
    return targets


def _parser() -> ArgumentParser:
    about = "Measure what this machine is, whether it computes right, and how quickly."
    parser = ArgumentParser("mnist-passport", about, EPILOG)
    parser.add_argument("files", nargs="*", metavar="FILE", help="passports to show or compare")
    parser.add_argument("--quick", action="store_true", help="about 15 s, without the run to 99 %%")
    parser.add_argument(
        "--threads", type=_threads, metavar="N", help="as device.threads (default: PyTorch's own)"
    )
    places = {"json": (STDOUT, "standard output"), "html": (DEFAULTS["html"],) * 2}
    for form, (const, said) in places.items():
        parser.add_argument(
            f"--{form}", nargs="?", const=const, metavar="FILE", help=f"{form} to FILE ({said})"
        )
    parser.add_argument(
        "--record-known", metavar="FILE", help="for developers: add this kind to FILE"
    )
    return parser


def _threads(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MOST_THREADS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of threads. Type 1 to {MOST_THREADS}, such as --threads 2"
        )
    return int(text)


if __name__ == "__main__":
    main()
