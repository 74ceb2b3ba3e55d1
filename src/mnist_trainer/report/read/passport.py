"""Read the passport of a machine."""

from pathlib import Path

from mnist_trainer.errors import DataError
from mnist_trainer.report.read.json_values import JsonValues
from mnist_trainer.report.render.document import clean
from mnist_trainer.runs.read import read_json

FORMAT = "mnist-passport 1"


def read_passport(path: Path) -> JsonValues:
    """Read the file of a passport, which may come from anybody.

    Raises:
        DataError: it cannot be read, or is no passport.
    """
    values = read_json(path)
    found = values.get("format") if isinstance(values, dict) else None
    if found != FORMAT:
        raise DataError(
            f"{path}: not a passport: its format is {clean(found)[:60]!r}, where {FORMAT!r} is"
            " read. Make one on that machine: mnist-passport --json FILE"
        )
    return JsonValues(values)
