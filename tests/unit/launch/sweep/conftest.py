"""Jobs of a sweep as they lie in their folders, without having been trained."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mnist_trainer.launch.sweep.records import Job
from mnist_trainer.runs.folder import RunFolder, run_label

MakeJob = Callable[..., Job]


@pytest.fixture
def make_job(tmp_path: Path) -> MakeJob:
    """A job with a folder; with a result where a validation accuracy or a status is given."""

    def made(
        number: int, validation: float | None = None, status: str | None = None, **settings: str
    ) -> Job:
        label = run_label(number, ",".join(f"{key}={value}" for key, value in settings.items()))
        job = Job(RunFolder(tmp_path / "sweep" / label), number, settings, f"identity-{number}", {})
        job.folder.path.mkdir(parents=True)
        result: dict[str, Any] | None = None
        if status is not None:
            result = {
                "status": status,
                "message": "It broke.\nBadly.",
                "exit_code": 5 if status == "diverged" else 1,
            }
        elif validation is not None:
            right = round(1000 * validation)
            scores = {"accuracy": validation, "loss": 1 - validation}
            scores |= {"correct": right, "images": 1000}
            result = {
                "status": "completed",
                "identity": job.identity,
                "validation": scores,
                "test": {"accuracy": 0.5, "correct": 500, "images": 1000},
            }
            result["seconds"] = {"total": 2.0}
        if result is not None:
            job.folder.result.write_text(json.dumps(result))
        return job

    return made
