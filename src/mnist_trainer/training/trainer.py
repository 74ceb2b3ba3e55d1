"""The loops: epochs of training, each followed by an evaluation, and one test at the end."""

import copy
import logging
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

from torch import Tensor, nn

from mnist_trainer.compute.device import Device
from mnist_trainer.compute.world import SINGLE_WORLD, World
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.data.batches import Batches, plan_epoch
from mnist_trainer.errors import DivergedError, PrunedError
from mnist_trainer.models.summary import count_parameters
from mnist_trainer.runs.checkpoint import Checkpoints, load_checkpoint, weights_sha256
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.metrics import Metrics
from mnist_trainer.runs.predictions import write_predictions
from mnist_trainer.runs.result import Result, Status
from mnist_trainer.system.signals import InterruptedRunError, Interruption
from mnist_trainer.training.clock import Clock
from mnist_trainer.training.scorer import Evaluator
from mnist_trainer.training.stages import EpochTraining, EvalMetrics, ResumePoint
from mnist_trainer.training.state import TrainingState, learning_rate
from mnist_trainer.training.step import StepOutput
from mnist_trainer.training.tracking.profiling import Profile
from mnist_trainer.training.tracking.terminal import EpochReport, Terminal
from mnist_trainer.training.tracking.trackers import CompositeTracker, MetricRecord
from mnist_trainer.training.update import NonFiniteDetector, Step

log = logging.getLogger(__name__)


@dataclass
class Trainer:
    """A run, from its first step to its result."""

    config: RunConfig
    device: Device
    state: TrainingState
    update: Step
    watch: NonFiniteDetector
    batches: Batches
    num_images: int
    num_random_params: int
    """Uniform numbers that augmentation takes for an image."""
    scorer: Evaluator
    class_names: tuple[str, ...]
    folder: RunFolder
    checkpoints: Checkpoints
    begun: ResumePoint
    tracker: CompositeTracker
    profile: Profile
    terminal: Terminal
    clock: Clock
    interruption: Interruption
    world: World = SINGLE_WORLD
    should_prune: Callable[[int, Metrics], bool] | None = None
    """Asked after each epoch, with its validation metrics, whether to end the run there."""

    def __post_init__(self) -> None:
        self.settings = self.config.trainer
        self.progress = self.state.progress
        self.interval_started = 0.0

    def run(self) -> Result:
        """Train, keep the best, test.

        Raises:
            DivergedError: the loss or a gradient was not finite.
            InterruptedRunError: the run was asked to stop, and has saved where it was.
            MachineError: a file of the run could not be written.
        """
        if self.begun.step is None:
            self.tracker.start(self.config, self.state.model, self.first_images())
        self.clock.mark_setup()
        scores = EvalMetrics(None, None)
        while self.progress.epoch < self.settings.epochs and not self.state.selection.exhausted:
            training = self.train_epoch()
            scores = self.score_epoch()
            self.end_epoch(training, scores)
        return self.finish(scores)

    def first_images(self) -> Tensor:
        """The first images that the model is going to see, as it will see them."""
        images, _ = next(
            iter(
                self.batches.epoch(
                    plan_epoch(self.num_images, self.num_random_params, self.config.seed, 0), 0
                )
            )
        )
        return images

    def train_epoch(self) -> EpochTraining:
        """One pass over the training images."""
        plan = plan_epoch(
            self.num_images, self.num_random_params, self.config.seed, self.progress.epoch
        )
        self.terminal.epoch_started(
            self.progress.epoch + 1, self.settings.epochs, self.steps_per_epoch
        )
        self.state.model.train()
        started = self.interval_started = self.clock.now()
        skipped = self.progress.batch * self.update_size
        with self.clock.measure("train"):
            for images, labels in self.batches.epoch(plan, start=self.progress.batch):
                outcome = self.step(images, labels)
                self.terminal.stepped(len(labels) * self.world.size)
                self.profile.stepped()
                if self.is_log_step:
                    self.log_interval(outcome)
                if self.is_checkpoint_step:
                    self.save()
                if self.interruption.requested is not None:
                    self.interrupt(self.interruption.requested)
            self.close_interval()
            seconds = self.clock.now() - started
        norms = self.progress.gradient_norms
        norm = sum(norms) / max(1, len(norms))
        return EpochTraining(
            self.state.epoch_accumulator.read(), norm, seconds, self.num_images - skipped
        )

    def step(self, images: Tensor, labels: Tensor) -> StepOutput:
        """One update of the weights, and of what follows them."""
        self.progress.batch += 1
        self.progress.step += 1
        outcome = self.update(images, labels, measure_norm=self.is_log_step)
        if self.device.type == "cpu":
            self.require_finite()
        self.state.scheduler.step()
        return outcome

    def require_finite(self) -> None:
        """Stop where a step was not finite: on the CPU called after each, elsewhere at log points,
        because it waits."""
        bad_step = self.watch.first_bad_step()
        if bad_step is not None:
            raise self.diverged(bad_step)

    def diverged(self, step: int) -> DivergedError:
        kept = (
            f" The last good checkpoint is {self.checkpoints.last}."
            if self.checkpoints.last.exists()
            else ""
        )
        return DivergedError(
            f"The loss or a gradient is no longer finite at step {step} (epoch"
            f" {self.progress.epoch + 1}), learning rate {learning_rate(self.state.optimizer):g}."
            f" No weights were saved after it.{kept}\nLower optimizer.lr, add a warm-up, or clip"
            " the gradients: trainer.clip_norm=1"
        )

    @property
    def update_size(self) -> int:
        """Images of one update."""
        return self.settings.batch_size * self.settings.accumulation

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.num_images // self.update_size)

    @property
    def is_log_step(self) -> bool:
        return (
            self.progress.step % self.settings.log_every == 0
            or self.progress.batch == self.steps_per_epoch
        )

    @property
    def is_checkpoint_step(self) -> bool:
        every = self.settings.checkpoint_every
        # The last step of an epoch is saved once the epoch has been scored.
        return (
            every is not None
            and self.progress.step % every == 0
            and self.progress.batch < self.steps_per_epoch
        )

    def log_interval(self, outcome: StepOutput) -> None:
        """Write what the steps since the last log point came to."""
        self.require_finite()
        metrics = self.state.interval_accumulator.read()
        now = self.clock.now()
        norm = None if outcome.gradient_norm is None else float(outcome.gradient_norm)
        if norm is not None and not math.isfinite(norm):
            norm = None  # An update that the scaler of fp16 has skipped.
        if norm is not None:
            self.progress.gradient_norms.append(norm)
        self.tracker.write(
            MetricRecord(
                "interval",
                "train",
                self.progress.epoch + 1,
                self.progress.step,
                {
                    **metrics.as_dict(),
                    "learning_rate": learning_rate(self.state.optimizer),
                    "gradient_norm": norm,
                    "images_per_second": metrics.count / max(now - self.interval_started, 1e-9),
                },
            )
        )
        self.terminal.measured(metrics)
        self.close_interval()
        self.interval_started = now

    def close_interval(self) -> None:
        """Count what was seen since the last log point to the epoch."""
        self.state.epoch_accumulator.merge(self.state.interval_accumulator)
        self.state.interval_accumulator.reset()

    def score_epoch(self) -> EvalMetrics:
        """What the weights are worth now."""
        scores = self.scorer.score_epoch(self.state.evaluated)
        if not all(
            math.isfinite(metrics.loss) for metrics in (scores.validation, scores.test) if metrics
        ):
            raise self.diverged(self.progress.step)
        return scores

    def end_epoch(self, training: EpochTraining, scores: EvalMetrics) -> None:
        """Note what the epoch came to, and save."""
        epoch = self.progress.epoch + 1
        rate = learning_rate(self.state.optimizer)
        per_second = training.images / max(training.seconds, 1e-9)
        values = {
            "learning_rate": rate,
            "gradient_norm": training.gradient_norm,
            "images_per_second": per_second,
        }
        self.tracker.write(
            MetricRecord(
                "epoch",
                "train",
                epoch,
                self.progress.step,
                {**training.metrics.as_dict(), **values},
            )
        )
        for split, metrics in (("validation", scores.validation), ("test", scores.test)):
            if metrics:
                self.tracker.write(
                    MetricRecord("epoch", split, epoch, self.progress.step, metrics.as_dict())
                )
        self.tracker.epoch_ended(self.state.model, self.progress.step)
        is_best = scores.validation is not None and self.state.selection.update(
            epoch, scores.validation
        )
        self.progress.epoch, self.progress.batch = epoch, 0
        self.progress.gradient_norms.clear()
        self.state.epoch_accumulator.reset()
        self.save(is_best)
        report = EpochReport(
            epoch,
            self.settings.epochs,
            training.metrics,
            scores.validation,
            scores.test,
            rate,
            per_second,
            training.seconds,
            is_best,
        )
        self.terminal.epoch_ended(report)
        log.info(
            "Epoch %d: train %s, validation %s, test %s",
            epoch,
            training.metrics,
            scores.validation,
            scores.test,
        )
        if self.interruption.requested is not None and epoch < self.settings.epochs:
            self.interrupt(self.interruption.requested)
        self.end_if_pruned(scores.validation)

    def end_if_pruned(self, validation: Metrics | None) -> None:
        """Raises:
        PrunedError: the search that this run is a trial of stops it here.
        """
        epoch = self.progress.epoch
        if validation is None or self.should_prune is None:
            return
        if self.should_prune(epoch, validation) and epoch < self.settings.epochs:
            message = f"after epoch {epoch}, validation {100 * validation.accuracy:.2f} %"
            raise PrunedError(message, epoch, validation)

    def save(self, is_best: bool = False) -> None:
        """Write the last checkpoint, and the best one where this is the best."""
        self.require_finite()
        state = {
            **self.state.state_dict(),
            "weights": self.state.weights(),
            "config": dict(self.config.plain),
            "choices": dict(self.config.choices),
            "class_names": list(self.class_names),
            "metrics_bytes": self.tracker.flush(),
            "seconds": asdict(self.clock.seconds()),
        }
        if self.world.is_main_process:
            self.checkpoints.save(state, is_best=is_best)

    def interrupt(self, number: int) -> None:
        """Save, and end the run in good order."""
        if self.progress.batch:
            self.save()
        self.world.barrier()
        raise InterruptedRunError(
            f"stopped at step {self.progress.step}, in epoch {self.progress.epoch + 1}. Saved:"
            f" {self.checkpoints.last}\nGo on with: {self.world.command} resume={self.folder}",
            number,
        )

    def finish(self, scores: EvalMetrics) -> Result:
        """Score the chosen weights on the test images: with validation images this is the only look
        at them."""
        model, tested_epoch = self.chosen_weights()
        test = scores.test or self.scorer.score_test(model)
        predictions = self.scorer.read_predictions(self.class_names)
        if self.world.is_main_process:
            write_predictions(self.folder.predictions, predictions)
        best = self.state.selection.best
        if best is not None and best.epoch == tested_epoch:
            validation: Metrics | None = best.metrics
        else:
            validation = scores.validation or self.scorer.score_validation(model)
        result = Result(
            status=Status.COMPLETED,
            test=test,
            validation=validation,
            best_epoch=best.epoch if best else None,
            tested_epoch=tested_epoch,
            epochs=self.progress.epoch,
            stopped_early=self.progress.epoch < self.settings.epochs,
            steps=self.progress.step,
            seed=self.config.seed,
            parameters=count_parameters(self.state.model),
            seconds=self.clock.seconds(),
            weights_sha256=weights_sha256(model.state_dict()),
            last_weights_sha256=weights_sha256(self.state.weights()),
            resumed_from=self.begun.checkpoint,
            processes=self.world.size,
        )
        self.write_final(result)
        return result

    def chosen_weights(self) -> tuple[nn.Module, int]:
        """The network to test, and the epoch that its weights are of."""
        best = self.state.selection.best
        if (
            best is None
            or self.settings.test_weights == "last"
            or best.epoch == self.progress.epoch
        ):
            return self.state.evaluated, self.progress.epoch
        model = copy.deepcopy(self.state.evaluated)
        if self.world.is_main_process:
            model.load_state_dict(
                load_checkpoint(self.checkpoints.best, self.device.torch_device)["weights"]
            )
        self.world.broadcast_model(model)
        return model, best.epoch

    def write_final(self, result: Result) -> None:
        """The result as points, under the names that TensorBoard's table of hyper-parameters reads."""
        for split, metrics in (("validation", result.validation), ("test", result.test)):
            if metrics:
                self.tracker.write(
                    MetricRecord("final", split, result.epochs, result.steps, metrics.as_dict())
                )
        self.tracker.finish(self.config)
