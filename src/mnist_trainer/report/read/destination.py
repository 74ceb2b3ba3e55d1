"""Check the destination of a report: no file of a run or a sweep is overwritten."""

import os
from pathlib import Path

from mnist_trainer.errors import ConfigError
from mnist_trainer.runs.folder import START_MARKS, display_path

STDOUT = "-"
SUFFIXES = {"html": ".html", "markdown": ".md", "csv": ".csv", "json": ".json"}
"""Format to file name suffix."""
# In the folder of a run or sweep, files with any other suffix are its own.
REPORT_SUFFIXES = (*SUFFIXES.values(), ".htm", ".markdown", ".txt")
# Files of runs and sweeps with the suffix of a report; mnist-eval writes evaluation*.
OWN_FILES = (
    "environment.json",
    "layers.json",
    "result.json",
    "job.json",
    "sweep.json",
    "decision.json",
)
OWN_FOLDERS = ("checkpoints", "profile", "figures", "export")
EVALUATION = "evaluation"
SWEEP_MARKS = ("sweep.json", "decision.json", "multirun.yaml", "optuna.sqlite", "optuna.journal")
MARKS = {
    **dict.fromkeys(START_MARKS, "run"),
    **dict.fromkeys(SWEEP_MARKS, "sweep"),
}
"""Files by which the folder of a run or of a sweep is recognized."""


def check_destination(form: str, target: str) -> None:
    """Refuse a target that cannot be written or must not be overwritten.

    Raises:
        ConfigError: a folder, a file in a missing folder, or a file that belongs to a run or a
            sweep, also through a link.
    """
    if Path(target).is_dir():
        path = Path(target) / f"report{SUFFIXES[form]}"
        raise ConfigError(
            f"--{form}={target}: a folder, where a file is needed. Type: --{form}={path}"
        )
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
    """Whether a path inside the folder of a run or sweep is one that the package writes there."""
    # File systems may ignore case.
    first, *rest = (part.lower() for part in inside.parts)
    if rest:
        return first in OWN_FOLDERS or first.startswith((".", EVALUATION))
    return (
        first in OWN_FILES
        or first.startswith((".", EVALUATION))
        or not first.endswith(REPORT_SUFFIXES)
    )
