"""What weights are worth on the images that no update sees."""

from dataclasses import dataclass, field

from torch import nn

from mnist_trainer.compute.device import Device
from mnist_trainer.compute.world import World
from mnist_trainer.config.settings import TrainerSettings
from mnist_trainer.runs.metrics import Metrics
from mnist_trainer.runs.predictions import Predictions
from mnist_trainer.training.clock import Clock
from mnist_trainer.training.evaluation import PredictionRecord, evaluate
from mnist_trainer.training.stages import EvalMetrics, EvaluationImages


@dataclass
class Evaluator:
    """Scores the validation and the test images; of several processes each its part."""

    settings: TrainerSettings
    device: Device
    criterion: nn.Module
    validation: EvaluationImages
    """Empty where nothing is held out."""
    test: EvaluationImages
    clock: Clock
    world: World
    test_record: PredictionRecord = field(default_factory=PredictionRecord)
    """The answers to the test images, those of the last time only; of all processes."""

    def score_epoch(self, model: nn.Module) -> EvalMetrics:
        """The validation images if there are any, else the test images, for the curve."""
        validation = self.score_validation(model)
        return EvalMetrics(validation, None if validation else self.score_test(model))

    def score_validation(self, model: nn.Module) -> Metrics | None:
        """The images that are held out; None where none are."""
        return self._score(model, self.validation, None) if len(self.validation) else None

    def score_test(self, model: nn.Module) -> Metrics:
        """The test images; the answers to them are remembered."""
        self.test_record = PredictionRecord()
        metrics = self._score(model, self.test, self.test_record)
        self.test_record.share(self.world, len(self.test))
        return metrics

    def _score(
        self, model: nn.Module, split: EvaluationImages, record: PredictionRecord | None
    ) -> Metrics:
        part = self.world.shard(len(split))
        with self.clock.measure("eval"):
            metrics = evaluate(
                model,
                self.criterion,
                self.device,
                split.images[part],
                split.labels[part],
                self.settings.eval_batch_size,
                self.settings.translations,
                record,
            )
            return self.world.reduce_metrics(metrics)

    def read_predictions(self, class_names: tuple[str, ...]) -> Predictions:
        """The answers to all test images."""
        return self.test_record.read(self.test.labels, class_names)
