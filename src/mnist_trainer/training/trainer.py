"""The training loop: epochs of training, each followed by an evaluation and a checkpoint."""

import logging
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from torch import Tensor

from mnist_trainer.compute.roofline import StepCost
from mnist_trainer.compute.world import World
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.data.batches import TrainingImages
from mnist_trainer.errors import DivergedError, InterruptedRunError
from mnist_trainer.runs.predictions import Predictions
from mnist_trainer.training.clock import Clock
from mnist_trainer.training.evaluation import EvalMetrics, Evaluator
from mnist_trainer.training.finite import NonFiniteDetector
from mnist_trainer.training.outputs import EpochTraining, RunOutputs
from mnist_trainer.training.pruning import ShouldPrune, stop_if_pruned
from mnist_trainer.training.restore import ResumePoint
from mnist_trainer.training.state import TrainingState, learning_rate
from mnist_trainer.training.step import Step, StepOutput
from mnist_trainer.training.tracking.terminal import EpochReport

log = logging.getLogger(__name__)


@dataclass
class Trainer:
    """The parts of a run, and the loop that trains with them."""

    config: RunConfig
    state: TrainingState
    data: TrainingImages
    step: Step
    detector: NonFiniteDetector
    evaluator: Evaluator
    outputs: RunOutputs
    clock: Clock
    resume_point: ResumePoint
    world: World
    step_cost: StepCost | None
    """Arithmetic of an update; None where it is not known."""

    def __post_init__(self) -> None:
        self.settings = self.config.trainer
        self.progress = self.state.progress
        self.interruption = self.world.interruption()
        self.first_batch = 0
        self.epoch_started = self.interval_started = 0.0

    def run(self, should_prune: ShouldPrune | None = None) -> EvalMetrics:
        """Train all epochs; return the metrics of the last one that was evaluated.

        Args:
            should_prune: asked after each epoch, with its validation metrics, whether to stop.

        Raises:
            DivergedError: the loss or a gradient was not finite.
            InterruptedRunError: the run was asked to stop, and has saved a checkpoint.
            MachineError: a file of the run could not be written.
            PrunedError: ``should_prune`` said so.
        """
        self.start()
        evaluation = EvalMetrics(None, None)
        while not self.is_done:
            evaluation = self.finish_epoch(self.train_epoch(), should_prune)
        self.outputs.film.finish(self.progress.step, self.state.eval_model)
        return evaluation

    def start(self) -> None:
        """Describe the run to the trackers; the set-up ends here."""
        if self.resume_point.step is None:
            first_images, _ = next(iter(self.data.epoch(0)))
            self.outputs.tracker.start(self.config, self.state.model, first_images)
        self.outputs.film.start(self.progress.step, self.state.eval_model)
        self.clock.mark_setup()

    @property
    def is_done(self) -> bool:
        """Whether all epochs are trained, or patience has run out."""
        return self.progress.epoch >= self.settings.epochs or self.state.selection.should_stop

    def finish_epoch(self, training: EpochTraining, prune: ShouldPrune | None) -> EvalMetrics:
        """Evaluate, record and save; raise PrunedError where ``prune`` says so."""
        evaluation = self.evaluate_epoch()
        self.end_epoch(training, evaluation)
        stop_if_pruned(prune, self.progress.epoch, self.settings.epochs, evaluation.validation)
        return evaluation

    def train_epoch(self) -> EpochTraining:
        """Make one pass over the training images, or the rest of one."""
        self.start_epoch()
        with self.clock.measure("train"):
            for images, labels in self.batches():
                self.report_step(self.train_step(images, labels), len(labels))
            return self.end_training()

    def start_epoch(self) -> None:
        """Show that an epoch begins, and read the clock."""
        self.outputs.terminal.epoch_started(
            self.progress.epoch + 1, self.settings.epochs, self.data.steps_per_epoch
        )
        self.state.model.train()
        self.first_batch = self.progress.batch
        self.epoch_started = self.interval_started = self.clock.now()

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels of the updates that are left of the epoch."""
        return self.data.epoch(self.progress.epoch, start=self.progress.batch)

    def report_step(self, output: StepOutput, num_images: int) -> None:
        """Log and save where this step is the one to do so; stop where that is requested."""
        self.outputs.on_step(num_images * self.world.size)
        if self.is_log_step:
            self.log_interval(output)
        if self.is_checkpoint_step:
            self.save()
        self.stop_if_requested()

    def end_training(self) -> EpochTraining:
        """The metrics of the epoch's training."""
        self.close_interval()
        seconds = self.clock.now() - self.epoch_started
        norms = self.progress.gradient_norms
        return EpochTraining(
            self.state.epoch_accumulator.read(),
            sum(norms) / max(1, len(norms)),
            seconds,
            (self.data.num_images - self.first_batch * self.data.update_size) / max(seconds, 1e-9),
        )

    def train_step(self, images: Tensor, labels: Tensor) -> StepOutput:
        """Update the weights and the learning rate."""
        self.progress.batch += 1
        self.progress.step += 1
        output = self.step(images, labels, measure_norm=self.is_log_step)
        if self.detector.found:
            self.require_finite()
        self.state.scheduler.step()
        self.outputs.trail.add(self.progress.step, output.loss, self.state.model)
        self.outputs.film.add(self.progress.step, self.state.eval_model)
        return output

    def require_finite(self) -> None:
        """Raise DivergedError where a step was not finite; waits for the device."""
        bad_step = self.detector.first_bad_step(self.progress.step)
        if bad_step is not None:
            raise self.diverged(bad_step)

    def diverged(self, step: int) -> DivergedError:
        last = self.outputs.checkpoints.last
        kept = f" The last good checkpoint is {last}." if last.exists() else ""
        return DivergedError(
            f"The loss or a gradient is no longer finite at step {step} (epoch"
            f" {self.progress.epoch + 1}), learning rate {learning_rate(self.state.optimizer):g}."
            f" No weights were saved after it.{kept}\nLower optimizer.lr, add a warm-up, or clip"
            " the gradients: trainer.clip_norm=1"
        )

    @property
    def is_log_step(self) -> bool:
        return (
            self.progress.step % self.settings.log_every == 0
            or self.progress.batch == self.data.steps_per_epoch
        )

    @property
    def is_checkpoint_step(self) -> bool:
        every = self.settings.checkpoint_every
        # The last step of an epoch is saved after its evaluation.
        return (
            every is not None
            and self.progress.step % every == 0
            and self.progress.batch < self.data.steps_per_epoch
        )

    def log_interval(self, output: StepOutput) -> None:
        """Record the metrics since the last log point."""
        self.require_finite()
        self.outputs.trail.flush()
        metrics = self.state.interval_accumulator.read()
        now = self.clock.now()
        norm = None if output.gradient_norm is None else float(output.gradient_norm)
        if norm is not None and not math.isfinite(norm):
            norm = None  # An update that the scaler of fp16 has skipped.
        if norm is not None:
            self.progress.gradient_norms.append(norm)
        values = {
            "learning_rate": learning_rate(self.state.optimizer),
            "gradient_norm": norm,
            "images_per_second": metrics.count / max(now - self.interval_started, 1e-9),
        }
        self.outputs.write_interval(self.progress, metrics, values)
        self.close_interval()
        self.interval_started = now

    def close_interval(self) -> None:
        """Add the metrics since the last log point to those of the epoch."""
        self.state.epoch_accumulator.merge(self.state.interval_accumulator)
        self.state.interval_accumulator.reset()

    def evaluate_epoch(self) -> EvalMetrics:
        """Evaluate the weights of this epoch."""
        evaluation = self.evaluator.evaluate_epoch(self.state.eval_model, keep=self.shows_images)
        for metrics in (evaluation.validation, evaluation.test):
            if metrics is not None and not math.isfinite(metrics.loss):
                raise self.diverged(self.progress.step)
        return evaluation

    @property
    def shows_images(self) -> bool:
        """Whether the trackers are given predictions and gradients of the current epoch."""
        every, epoch = self.config.tracker.images_every, self.progress.epoch + 1
        return every is not None and (epoch % every == 0 or epoch == self.settings.epochs)

    def show_predictions(self, split: str, step: int) -> Predictions:
        """Give the trackers the predictions for a split, which they show as images."""
        predictions = self.evaluator.read_predictions(self.data.class_names, split)
        if self.config.tracker.images_every is not None:
            images = self.evaluator.images_of(split).images
            self.outputs.tracker.write_predictions(split, images, predictions, step)
        return predictions

    def end_epoch(self, training: EpochTraining, evaluation: EvalMetrics) -> None:
        """Record the metrics of the epoch, and save a checkpoint."""
        epoch, validation = self.progress.epoch + 1, evaluation.validation
        report = EpochReport(
            epoch=epoch,
            epochs=self.settings.epochs,
            train=training.metrics,
            validation=validation,
            test=evaluation.test,
            learning_rate=learning_rate(self.state.optimizer),
            images_per_second=training.images_per_second,
            seconds=training.seconds,
            is_best=validation is not None and self.state.selection.update(epoch, validation),
        )
        self.outputs.write_epoch(report, training.gradient_norm, self.progress.step)
        self.outputs.tracker.epoch_ended(self.state.model, self.progress.step)
        if self.shows_images:
            self.outputs.tracker.write_gradients(self.state.model, self.progress.step)
            if validation is not None:
                self.show_predictions("validation", self.progress.step)
        self.progress.epoch, self.progress.batch = epoch, 0
        self.progress.gradient_norms.clear()
        self.state.epoch_accumulator.reset()
        self.save(report.is_best)
        self.outputs.terminal.epoch_ended(report)
        log.info(
            "Epoch %d: train %s, validation %s, test %s",
            epoch,
            report.train,
            report.validation,
            report.test,
        )
        self.stop_if_requested()

    def save(self, is_best: bool = False) -> None:
        """Save the last checkpoint, and the best one where this is the best."""
        self.require_finite()
        self.outputs.trail.flush(on_disk=True)
        self.outputs.film.flush()
        state = {
            **self.state.state_dict(),
            "weights": self.state.weights(),
            "config": dict(self.config.plain),
            "choices": dict(self.config.choices),
            "class_names": list(self.data.class_names),
            "metrics_bytes": self.outputs.tracker.flush(),
            "seconds": asdict(self.clock.seconds()),
        }
        if self.world.is_main_process:
            self.outputs.checkpoints.save(state, is_best=is_best)

    def stop_if_requested(self) -> None:
        """Save a checkpoint and end the run where SIGTERM, SIGHUP or Ctrl+C asked for it.

        Raises:
            InterruptedRunError: with what is saved, and how to go on.
        """
        if (number := self.interruption.requested) is None:
            return
        if self.progress.batch:
            self.save()
        self.world.barrier()
        epoch, folder = self.progress.epoch, self.outputs.folder
        where = f"in epoch {epoch + 1}" if epoch < self.settings.epochs else "in the final test"
        raise InterruptedRunError(
            f"stopped at step {self.progress.step}, {where}. Saved: {self.outputs.checkpoints.last}"
            f"\nGo on with: {self.world.command} resume={folder}",
            number,
        )
