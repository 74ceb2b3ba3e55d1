"""MLflow: a database file in ``outputs``, or the server that was typed."""

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from filelock import FileLock
from torch import Tensor, nn

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.runs.folder import OUTPUTS, RunFolder
from mnist_trainer.runs.metric_records import MetricRecord
from mnist_trainer.runs.predictions import Predictions
from mnist_trainer.runs.read import flatten
from mnist_trainer.system.optional_packages import require_packages
from mnist_trainer.training.tracking.pictures import draw_confusion
from mnist_trainer.training.tracking.tracker import SavedId, Tracker, shown_step, tags_of

# MLflow's own clients wait for minutes, and report home.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
MAX_PARAMS = 100
"""In one request."""


class MLflow(Tracker):
    """Metrics, settings and confusion matrices of a run as a run of MLflow.

    Metrics are sent with each checkpoint, so that a session that resumes sends none twice.
    """

    def __init__(self, folder: RunFolder, resumed: bool, uri: str | None, experiment: str) -> None:
        """Args:
        uri: of a server or database; None: ``outputs/mlflow.db``.
        experiment: its name in MLflow.
        """
        require_packages("tracker=mlflow", "mlflow", "sqlalchemy", "alembic")
        self.path, self.uri, self.experiment = folder.path, uri, experiment
        self.saved = SavedId(folder.path / "mlflow_run_id", resumed)
        self.waiting: list[MetricRecord] = []
        self.finished = False

    @cached_property
    def client(self) -> Any:
        os.environ.update({key: os.environ.get(key, value) for key, value in ENVIRONMENT.items()})
        from mlflow import MlflowClient

        for name in ("mlflow", "alembic", "urllib3"):
            logging.getLogger(name).setLevel(logging.ERROR)
        return MlflowClient(self.uri or f"sqlite:///{OUTPUTS.resolve()}/mlflow.db")

    @cached_property
    def run_id(self) -> str:
        """Of the run of MLflow: the one that an earlier session began, or a new one."""
        if self.uri:
            return self._find_run(None)
        OUTPUTS.mkdir(exist_ok=True)
        # The jobs of a sweep would each make the tables of the database.
        with FileLock(OUTPUTS / ".mlflow.lock"):
            return self._find_run((OUTPUTS / "mlflow-artifacts").resolve().as_uri())

    def _find_run(self, artifacts: str | None) -> str:
        from mlflow.exceptions import MlflowException

        if known := self.saved.read():
            # It fails where the earlier session had another store.
            with contextlib.suppress(MlflowException):
                self.client.update_run(known, status="RUNNING")
                return known
        found = self.client.get_experiment_by_name(self.experiment)
        number = found and found.experiment_id
        if number is None:
            number = self.client.create_experiment(self.experiment, artifacts)
        new = str(self.client.create_run(number, run_name=self.path.name).info.run_id)
        self.saved.write(new)
        return new

    def start(self, config: RunConfig, model: nn.Module, images: Tensor) -> None:
        from mlflow.entities import Param

        pairs = flatten(config.plain).items()
        params = [Param(key, str(value)[:6000]) for key, value in pairs]
        for first in range(0, len(params), MAX_PARAMS):
            self.client.log_batch(self.run_id, params=params[first : first + MAX_PARAMS])

    def write(self, record: MetricRecord) -> None:
        self.waiting.append(record)

    def write_predictions(
        self, split: str, images: Tensor, predictions: Predictions, step: int
    ) -> None:
        name = f"{split}/confusion_matrix_{step}.png"
        self.client.log_image(self.run_id, draw_confusion(predictions), name)

    def flush(self) -> int:
        metrics = list(self._metrics())
        self.waiting.clear()
        if metrics:
            self.client.log_batch(self.run_id, metrics=metrics)
        return 0

    def _metrics(self) -> Iterator[Any]:
        from mlflow.entities import Metric

        now = round(1000 * time.time())
        for record in self.waiting:
            for tag, value in tags_of(record).items():
                yield Metric(tag, value, now, shown_step(record))

    def finish(self, config: RunConfig) -> None:
        self.flush()
        self.finished = True

    def close(self) -> None:
        if "client" in self.__dict__:
            self.client.set_terminated(self.run_id, "FINISHED" if self.finished else "KILLED")
