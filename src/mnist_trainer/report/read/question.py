"""The question that a sweep was started with, from its ``sweep.json``."""

from collections.abc import Sequence

from mnist_trainer.report.read.files import read_record
from mnist_trainer.report.read.records import RunRecord


def read_questions(runs: Sequence[RunRecord]) -> list[str]:
    """The questions of the sweeps that the runs are jobs of, each once."""
    sweeps = dict.fromkeys(run.folder.path.parent for run in runs)
    records = (read_record(sweep / "sweep.json", []) or {} for sweep in sweeps)
    questions = (record.get("question") for record in records)
    return list(dict.fromkeys(each for each in questions if isinstance(each, str) and each))
