"""One run among those that train as a stack."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import replace

import torch
from torch import Tensor

from mnist_trainer.compute.rng import restore_rng_state, rng_state
from mnist_trainer.compute.world import World
from mnist_trainer.errors import MachineError
from mnist_trainer.runs.faults import faults_of_the_machine
from mnist_trainer.runs.result import Result
from mnist_trainer.system.log_file import log_to
from mnist_trainer.system.signals import Interruption
from mnist_trainer.training.evaluation import EvalMetrics
from mnist_trainer.training.final_test import run_final_test
from mnist_trainer.training.outputs import EpochTraining
from mnist_trainer.training.restore import divergence_explained
from mnist_trainer.training.run import open_run, record_result
from mnist_trainer.training.step import StepOutput
from mnist_trainer.training.trainer import Trainer


class StackWorld(World):
    """A world of one process, in which runs train as a stack."""

    def __init__(self, size: int) -> None:
        """Args:
        size: runs of the stack.
        """
        self.stack_size = size

    def describe(self) -> dict[str, object]:
        return {**super().describe(), "stacked_runs": self.stack_size}


class Member:
    """A prepared run with what a process has only one of: random numbers, log, signals.

    It is the ``Step`` of its own trainer, which is given what the stack has computed for it.
    """

    def __init__(self, trainer: Trainer, stop: Interruption) -> None:
        """Take over a trainer and the state of the random number generators, right after it was
        prepared.

        Args:
            stop: tells all members at once that they should stop.
        """
        self.trainer = trainer
        self.folder = trainer.outputs.folder
        trainer.step = self
        trainer.interruption = stop
        self.rng = rng_state()
        self.torch_device = next(trainer.state.model.parameters()).device
        self.generator = torch.Generator(self.torch_device)
        """Draws the dropout masks: the stream from which the run alone would draw them."""
        self.generator.set_state(self._stream(self.rng))
        self.output: StepOutput | None = None
        self.evaluation = EvalMetrics(None, None)
        self.batches: Iterator[tuple[Tensor, Tensor]] = iter(())
        self.timing, self.resources = ExitStack(), ExitStack()

    def _stream(self, rng: dict[str, object]) -> Tensor:
        """The state of the generator of the device among those of all."""
        if self.torch_device.type == "cpu":
            return rng["torch"]  # type: ignore[return-value]
        return rng["cuda"][self.torch_device.index]  # type: ignore[index, no-any-return]

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let the process be this run's: its random numbers, its log, its folder in errors."""
        restore_rng_state(self.rng)
        if self.torch_device.type == "cpu":
            torch.set_rng_state(self.generator.get_state())
        else:
            torch.cuda.set_rng_state(self.generator.get_state(), self.torch_device)
        try:
            with log_to(self.folder.log), self.explained():
                yield
        finally:
            self.rng = rng_state()
            self.generator.set_state(self._stream(self.rng))

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Add to an error what a user of this run can do about it."""
        trainer = self.trainer
        hint = divergence_explained(trainer.config, self.folder, trainer.world)
        with faults_of_the_machine(self.folder), hint:
            yield

    def start(self) -> None:
        """Open the run, once the process is this run's."""
        outputs = self.trainer.outputs
        open_run(self.folder)
        for resource in (closing(outputs.trail), outputs.tracker, outputs.profile):
            self.resources.enter_context(resource)
        self.trainer.start()

    def start_epoch(self) -> None:
        self.trainer.start_epoch()
        self.timing.enter_context(self.trainer.clock.measure("train"))
        self.batches = self.trainer.batches()

    def __call__(
        self,
        images: Tensor,  # noqa: ARG002
        labels: Tensor,
        *,
        measure_norm: bool,  # noqa: ARG002
    ) -> StepOutput:
        """What the stack has computed for this run; see ``Step``."""
        state = self.trainer.state
        state.interval_accumulator.count += len(labels)
        if state.ema is not None:
            state.ema.n_averaged += 1
        if self.output is None:
            raise RuntimeError("the stack has not computed this step")
        return self.output

    def take_step(self, images: Tensor, labels: Tensor) -> None:
        """Make of the step that the stack has computed one of this run."""
        trainer = self.trainer
        with self.explained():
            output = trainer.train_step(images, labels)
        stops = trainer.interruption.requested is not None
        reports = trainer.is_log_step or trainer.is_checkpoint_step or stops
        with self.active() if reports else nullcontext():
            trainer.report_step(output, len(labels))

    def finish_epoch(self) -> Result | None:
        """Evaluate and save; after the last epoch also test."""
        training = self._end_training()
        self.evaluation = self.trainer.finish_epoch(training, None)
        return self.test_if_done()

    def test_if_done(self) -> Result | None:
        """Test a run whose epochs are all trained, and write its result; None for any other."""
        if not self.trainer.is_done:
            return None
        result = run_final_test(self.trainer, self.evaluation)
        self.resources.close()
        record_result(self.trainer, result)
        return result

    def _end_training(self) -> EpochTraining:
        training = self.trainer.end_training()
        self.timing.close()
        return training

    def close(self) -> None:
        """Close what is still open, which it is after an error: one more says nothing new."""
        with suppress(MachineError):
            self.timing.close()
            self.resources.close()


def share_images(members: list[Member]) -> None:
    """Let all members read the images of the first: on a GPU each has copies of its own, unless
    fixed transforms that draw random numbers have made others of them."""
    for member in members[1:]:
        first, trainer = members[0].trainer, member.trainer
        here, there = trainer.evaluator.test.images, first.evaluator.test.images
        if member.torch_device.type != "cpu" and torch.equal(here, there):
            trainer.data = replace(trainer.data, batches=first.data.batches)
            trainer.evaluator.validation = first.evaluator.validation
            trainer.evaluator.test = first.evaluator.test
