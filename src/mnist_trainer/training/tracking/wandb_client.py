"""Weights & Biases: offline in the run folder, or the server that was typed."""

import os
import secrets
from functools import cached_property
from typing import Any

from torch import Tensor, nn

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.metric_records import MetricRecord
from mnist_trainer.runs.predictions import Predictions
from mnist_trainer.system.optional_packages import require_packages
from mnist_trainer.training.tracking.pictures import draw_confusion
from mnist_trainer.training.tracking.tracker import SavedId, Tracker, shown_step, tags_of

# What a run is, it writes itself: no output, code, git or machine is read.
SETTINGS: dict[str, Any] = {
    "console": "off",
    "silent": True,
    "disable_code": True,
    "disable_git": True,
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "init_timeout": 30,
    "login_timeout": 30,
    "finish_timeout": 60,
}


class WandB(Tracker):
    """Metrics, settings and confusion matrices of a run as a run of Weights & Biases."""

    def __init__(self, folder: RunFolder, resumed: bool, uri: str | None, project: str) -> None:
        """Args:
        uri: of a server, such as https://api.wandb.ai; None: offline, for ``wandb sync``.
        project: its name there.
        """
        require_packages("tracker=wandb", "wandb")
        self.path, self.uri, self.project = folder.path, uri, project
        self.saved = SavedId(folder.path / "wandb_run_id", resumed)
        self.finished = False

    @cached_property
    def run(self) -> Any:
        os.environ["WANDB_ERROR_REPORTING"] = "false"
        import wandb

        if (name := self.saved.read()) is None:
            self.saved.write(name := secrets.token_hex(8))
        settings = {**SETTINGS, "mode": "offline"}
        if self.uri:
            settings |= {"mode": "online", "base_url": self.uri}
        return wandb.init(
            project=self.project,
            id=name,
            name=self.path.name,
            dir=str(self.path),
            resume="allow",
            settings=wandb.Settings(**settings),
        )

    def start(self, config: RunConfig, model: nn.Module, images: Tensor) -> None:
        self.run.config.update(dict(config.plain))

    def write(self, record: MetricRecord) -> None:
        self.run.log(tags_of(record), step=shown_step(record))

    def write_predictions(
        self, split: str, images: Tensor, predictions: Predictions, step: int
    ) -> None:
        from wandb import Image

        picture = Image(draw_confusion(predictions))
        self.run.log({f"{split}/confusion_matrix": picture}, step=step)

    def finish(self, config: RunConfig) -> None:
        self.finished = True

    def close(self) -> None:
        if "run" in self.__dict__:
            self.run.finish(exit_code=int(not self.finished))
