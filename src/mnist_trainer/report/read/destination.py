"""Where a report may be written: to no file that a run or a sweep keeps. Nothing slow is imported
here."""

import os
from pathlib import Path

from mnist_trainer.errors import ConfigError
from mnist_trainer.runs.folder import START_MARKS, display_path

SUFFIXES = {"html": ".html", "markdown": ".md", "csv": ".csv", "json": ".json"}
"""Format to the ending of a file of it."""
# In the folder of a run or sweep all other endings are its own: weights, logs, tables of numbers,
# data bases, events.
REPORT_SUFFIXES = (*SUFFIXES.values(), ".htm", ".markdown", ".txt")
# Files that end like a report and are none; those of mnist-eval go on with what was evaluated.
OWN_FILES = ("environment.json", "result.json", "job.json", "sweep.json")
OWN_FOLDERS = ("checkpoints", "profile", "figures", "export")
EVALUATION = "evaluation"
SWEEP_MARKS = ("sweep.json", "multirun.yaml", "optuna.sqlite", "optuna.journal")
MARKS = {
    **dict.fromkeys(START_MARKS, "run"),
    **dict.fromkeys(SWEEP_MARKS, "sweep"),
}
"""What in a folder shows that it is that of a run, or of a sweep."""


def check_destination(form: str, target: str) -> None:
    """Refuse a place where a report would do harm.

    Raises:
        ConfigError: a folder, a file in a folder that is not there, or a file that belongs to a run
            or a sweep, by whatever name or link it was reached.
    """
    if Path(target).is_dir():
        path = Path(target) / f"report{SUFFIXES[form]}"
        raise ConfigError(
            f"--{form}={target}: a folder, where a file is needed. Type: --{form}={path}"
        )
    # What a link points at is what would be written.
    file = Path(os.path.realpath(target))
    for folder in file.parents:
        owner = next((kind for mark, kind in MARKS.items() if os.path.lexists(folder / mark)), None)
        if owner and _is_own(file.relative_to(folder)):
            raise ConfigError(
                f"--{form} {target}: this file belongs to the {owner} in {display_path(folder)},"
                " where a report may take any other name that ends in"
                f" {', '.join(REPORT_SUFFIXES)}. Type: --{form}"
                f" {display_path(folder / f'report{SUFFIXES[form]}')}"
            )
    if not Path(target).exists() and not file.parent.is_dir():
        place = display_path(file.parent)
        missing = (
            f"{place} is a file, not a folder"
            if file.parent.exists()
            else f"there is no folder {place}"
        )
        raise ConfigError(
            f"--{form} {target}: {missing}. No folder is made for a report: make it first, or name"
            " a FILE in a folder that is there."
        )


def _is_own(inside: Path) -> bool:
    """Whether a path inside the folder of a run or sweep is one that the run, the sweep or a
    command on them writes."""
    # Where capitals make no other file they must not make another name here.
    first, *rest = (part.lower() for part in inside.parts)
    if rest:
        return first in OWN_FOLDERS or first.startswith((".", EVALUATION))
    return (
        first in OWN_FILES
        or first.startswith((".", EVALUATION))
        or not first.endswith(REPORT_SUFFIXES)
    )
