"""``mnist-eval``: evaluate a trained network."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import get_args, get_type_hints

from mnist_trainer.cli.arguments import ArgumentParser, a_path, refuse_no_folder, typed_words
from mnist_trainer.cli.eval_card import add_card_options, check_options, evaluate_card
from mnist_trainer.cli.exit import exit_codes, warnings_named
from mnist_trainer.config.settings import DataSettings
from mnist_trainer.runs.checksums import add_checksum
from mnist_trainer.runs.folder import display_path, safe_name
from mnist_trainer.runs.lookup import Located, locate_checkpoint
from mnist_trainer.system.console import printable
from mnist_trainer.system.files import write_json
from mnist_trainer.system.openmp import limit_openmp_spinning

EPILOG = """\
examples:
  mnist-eval outputs/latest
  mnist-eval outputs/latest --split validation --checkpoint last
  mnist-eval outputs/latest --data qmnist --json --no-figures
  mnist-eval outputs/latest --card quick
  mnist-eval outputs/latest --card --parts clean,corruptions

Written to RUN: evaluation.json, figures/evaluation-*.png, and evaluation/ for TensorBoard. The
names of other splits, data and checkpoints say so, as in evaluation-validation.json. With --card:
evaluation-card.json, evaluation-card.html, figures/evaluation-card-*.png, evaluation-card/."""

DATA_NAMES = get_args(get_type_hints(DataSettings)["name"])
SPLITS = ("test", "validation", "train")
ELSEWHERE = "--output DIR"


def main() -> None:
    """Entry point of the console script."""
    with exit_codes("mnist-eval"), warnings_named("mnist-eval"):
        evaluate(parse(typed_words()))


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Parse the command line.

    Raises:
        ConfigError: an argument is invalid.
    """
    parser = ArgumentParser(
        "mnist-eval",
        "Evaluate a trained network: accuracy, classes, confusion, calibration; figures.",
        EPILOG,
    )
    add = parser.add_argument
    parser.add_run()
    add(
        "--data",
        choices=DATA_NAMES,
        metavar="NAME",
        help=f"{', '.join(DATA_NAMES)} (default: the run's own)",
    )
    place = "folder of the data sets (default: the user's cache)"
    add("--data-root", type=a_path, metavar="DIR", help=place)
    add(
        "--split",
        choices=SPLITS,
        default="test",
        metavar="NAME",
        help="test, validation or train (default: test)",
    )
    add(
        "--device",
        choices=("auto", "cpu", "cuda", "mps"),
        default="auto",
        metavar="NAME",
        help="auto, cpu, cuda, mps",
    )
    add_card_options(parser)
    add("--output", type=a_path, metavar="DIR", help="folder to write to (default: RUN)")
    add("--json", action="store_true", help="print evaluation.json in place of tables")
    add("--no-figures", action="store_true", help="no PNG files and nothing for TensorBoard")
    return parser.parse_args(words)


def evaluate(arguments: argparse.Namespace) -> None:
    """Load the network, evaluate it, write and print the results."""
    parts = check_options(arguments)
    located = locate_checkpoint(arguments.run, arguments.checkpoint)
    folder = output_folder(arguments.output, located)
    limit_openmp_spinning()
    if parts:
        evaluate_card(arguments, parts, located, folder, name_of(arguments, "card", located))
        return
    from mnist_trainer.inference.loading import load_run
    from mnist_trainer.inference.scoring.evaluation_result import data_settings, score_run

    trained = load_run(arguments.run, arguments.checkpoint, arguments.device)
    settings = data_settings(trained, arguments.data, arguments.data_root)
    scored = score_run(trained, settings, arguments.split)
    stem = name_of(
        arguments, settings.name if settings.name != trained.config.data.name else None, located
    )
    path = folder / f"{stem}.json"
    written = [path]
    write_json(path, scored.as_json(), elsewhere=ELSEWHERE)
    if located.folder and path.resolve() == located.folder.evaluation.resolve():
        add_checksum(located.folder, path.name)
    if not arguments.no_figures:
        from mnist_trainer.inference.scoring.figures import draw, write_pictures, write_tensorboard

        drawn = draw(scored)
        written += write_pictures(drawn, folder / "figures", stem)
        write_tensorboard(scored, drawn, folder / stem)
    if arguments.json:
        print(json.dumps(scored.as_json(), indent=2, ensure_ascii=False))
        return
    from mnist_trainer.inference.scoring.tables import show

    show(scored)
    say_written(written, None if arguments.no_figures else folder)


def output_folder(asked: str | None, located: Located) -> Path:
    """Where to write.

    Raises:
        MachineError: a file is in the way, or nothing can be written there.
    """
    folder = located.home if asked is None else Path(asked)
    refuse_no_folder(folder, ELSEWHERE)
    return folder


def name_of(arguments: argparse.Namespace, kind: str | None, located: Located) -> str:
    """``evaluation``, and what sets this one apart from that of the run's own test: nothing is
    overwritten by another.

    Args:
        kind: the name of other data, or ``card``.
    """
    parts = ["evaluation"]
    if kind:
        parts.append(kind)
    if arguments.split != "test":
        parts.append(arguments.split)
    if (
        located.folder
        and located.checkpoint.resolve()
        != locate_checkpoint(located.folder.path).checkpoint.resolve()
    ):
        parts.append(safe_name(located.checkpoint.stem))
    return "-".join(parts)


def say_written(written: Sequence[Path], board: Path | None) -> None:
    """What there is to look at now."""
    from shlex import quote

    rows = [("numbers", display_path(written[0]))]
    if board:
        rows.append(("figures", f"{display_path(written[1].parent)}, {len(written) - 1} PNG files"))
        rows.append(
            (
                "TensorBoard",
                f"tensorboard --logdir {quote(display_path(board))}  (Images, Projector)",
            )
        )
    width = max(len(name) for name, _ in rows) + 2
    for name, value in rows:
        print(printable(f"{name + ':':<{width}}{value}"))


if __name__ == "__main__":
    main()
