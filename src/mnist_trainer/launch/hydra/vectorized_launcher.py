"""The launcher ``vectorized``: jobs that differ in little train in this process as one model.

It is imported once a sweep begins: torch is here.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from omegaconf import open_dict

from mnist_trainer.compute.device import Device, select_device, unchanged_threads
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.hydra.local_launcher import Launched, LocalLauncher
from mnist_trainer.launch.sweep.progress import print_line
from mnist_trainer.launch.sweep.records import Sweep
from mnist_trainer.launch.sweep.stack import StackRun
from mnist_trainer.system.messages import counted
from mnist_trainer.training.stacked.eligibility import LAUNCHER, MAY_DIFFER, stack_key
from mnist_trainer.training.stacked.member import StackWorld


class VectorizedLauncher(LocalLauncher):
    """Trains stacks of jobs, one stack after the other, and what is in no stack one by one."""

    def __init__(self, stack_size: int) -> None:
        """Args:
        stack_size: jobs of a stack at most.

        Raises:
            ConfigError: fewer than two are no stack.
        """
        if type(stack_size) is not int or stack_size < 2:
            raise ConfigError(
                f"hydra.launcher.stack_size={stack_size}: must be a whole number from 2; for jobs"
                f" one after the other leave out {LAUNCHER}"
            )
        self.stack_size = stack_size

    def run(self, sweep: Sweep, launched: Sequence[Launched]) -> None:
        for settings in {each.settings.device: each.settings for each in launched}.values():
            select_stack_device(settings)
        for stack in self._stacks(launched):
            if len(stack) > 1:
                self._train_stack(stack, sweep)
            else:
                self.run_alone(stack[0])

    def _stacks(self, launched: Sequence[Launched]) -> Iterator[list[Launched]]:
        """Jobs that train together; says of those that train alone why."""
        groups: dict[str, list[Launched]] = defaultdict(list)
        for each in launched:
            groups[stack_key(each.settings)].append(each)
        for group in groups.values():
            stacks = [
                group[start : start + self.stack_size]
                for start in range(0, len(group), self.stack_size)
            ]
            for stack in stacks:
                if len(stack) == 1 and len(launched) > 1:
                    print_line(
                        f"{stack[0].job.title}: trains alone: no job that is left differs from it"
                        f" in nothing but {', '.join(MAY_DIFFER)}"
                    )
                yield stack

    def _train_stack(self, stack: Sequence[Launched], sweep: Sweep) -> None:
        """Train jobs together, and record how each ended.

        Raises:
            SweepStopped: asked to stop.
        """
        numbers = ", ".join(f"#{each.job.number}" for each in stack)
        print_line(f"{counted(len(stack), 'job')} as one stack: {numbers}")
        with unchanged_threads(), ExitStack() as locks:
            device = select_stack_device(stack[0].settings)
            run = StackRun(self.context, sweep, device, StackWorld(len(stack)), locks)
            for each in stack:
                composed = self.compose(each.words)
                with open_dict(composed):
                    composed.hydra.job.id = composed.hydra.job.num = each.number
                run.open(each.job, composed, each.settings)
            run.train()


def select_stack_device(settings: RunConfig) -> Device:
    """The device of a stack, without graphs: they hold the step of one run.

    Raises:
        ConfigError: it would compute in mixed precision.
    """
    device = select_device(replace(settings.device, graph=False))
    if device.precision != "fp32":
        raise ConfigError(
            f"{LAUNCHER}: device.precision={settings.device.precision} computes in"
            f" {device.precision} on this {device.type} device, and torch.func does not: type"
            " device.precision=fp32"
        )
    return device
