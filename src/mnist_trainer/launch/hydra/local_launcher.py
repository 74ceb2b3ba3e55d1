"""What the launchers of this package have in common: jobs on this machine that are read before they
run.

It is imported once a sweep begins: torch is here.
"""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.launch.composed import read_composed
from mnist_trainer.launch.hydra.launchers import BASIC_LAUNCHER
from mnist_trainer.launch.hydra.loader import CheckedConfigLoader
from mnist_trainer.launch.sweep.records import Job, Sweep, read_sweep


@dataclass(frozen=True)
class Launched:
    """A job that is to run."""

    job: Job
    words: list[str]
    number: int
    """As Hydra counts jobs."""
    settings: RunConfig


class LocalLauncher(Launcher):
    """A launcher that knows the settings of its jobs, and can run one as Hydra's own would."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.context = hydra_context
        self.config = config
        single = config.copy()
        with open_dict(single):
            single.hydra.launcher = {"_target_": BASIC_LAUNCHER}
        self.basic = Plugins.instance().instantiate_launcher(hydra_context, task_function, single)

    def run_alone(self, each: Launched) -> None:
        """Run a job in this process."""
        self.basic.launch([each.words], each.number)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> list[JobReturn]:
        """Run the jobs.

        Returns:
            Nothing: the jobs' records say how they ended.

        Raises:
            ConfigError: the launcher cannot run them on this device.
            SweepStopped: asked to stop.
        """
        setup_globals()
        sweep = read_sweep(Path(self.config.hydra.sweep.dir).absolute())
        self.run(sweep, list(self._launched(sweep, job_overrides, initial_job_idx)))
        return []

    @abstractmethod
    def run(self, sweep: Sweep, launched: Sequence[Launched]) -> None:
        """Run the jobs; see ``launch``."""

    def _launched(
        self, sweep: Sweep, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Iterator[Launched]:
        by_name = {job.folder.path.name: job for job in sweep.jobs}
        for number, each in enumerate(job_overrides, start=initial_job_idx):
            words = list(each)
            composed = self.compose(words)
            job = by_name[str(composed.hydra.sweep.subdir)]
            yield Launched(job, words, number, read_composed(composed))

    def compose(self, words: list[str]) -> DictConfig:
        """The configuration of a job, of which there is a copy for the next time as well."""
        loader = self.context.config_loader
        composed = loader.load_sweep_config(self.config, words)
        if isinstance(loader, CheckedConfigLoader):
            loader.keep(words, composed)
        return composed
