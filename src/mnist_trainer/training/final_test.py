"""The test at the end of a run, and its result."""

import copy

from torch import nn

from mnist_trainer.models.summary import count_parameters
from mnist_trainer.runs.checkpoint import load_checkpoint, weights_sha256
from mnist_trainer.runs.metrics import Metrics
from mnist_trainer.runs.predictions import write_predictions
from mnist_trainer.runs.result import Result, Session, Timing
from mnist_trainer.training.evaluation import EvalMetrics
from mnist_trainer.training.throughput import measure_throughput
from mnist_trainer.training.tracking.tracker import final_step
from mnist_trainer.training.trainer import Trainer


def run_final_test(trainer: Trainer, last: EvalMetrics) -> Result:
    """Test the selected weights: with validation images the only use of the test images.

    Args:
        last: metrics of the last epoch, if this session trained one.
    """
    state, evaluator, outputs = trainer.state, trainer.evaluator, trainer.outputs
    model, epoch = select_model(trainer)
    test = last.test or evaluator.evaluate_test(model)
    trainer.stop_if_requested()
    predictions = trainer.show_predictions("test", final_step(state.progress.step))
    if trainer.world.is_main_process:
        write_predictions(outputs.folder.predictions, predictions)
    best = state.selection.best
    if best is not None and best.epoch == epoch:
        validation: Metrics | None = best.metrics
    else:
        validation = last.validation or evaluator.evaluate_validation(model)
    trainer.stop_if_requested()
    seconds = trainer.clock.seconds()
    result = Result(
        test=test,
        validation=validation,
        best_epoch=best.epoch if best else None,
        tested_epoch=epoch,
        epochs=state.progress.epoch,
        stopped_early=state.progress.epoch < trainer.settings.epochs,
        steps=state.progress.step,
        parameters=count_parameters(state.model),
        timing=Timing(seconds, measure_throughput(trainer, seconds.train)),
        weights_sha256=weights_sha256(model.state_dict()),
        last_weights_sha256=weights_sha256(state.weights()),
        session=describe_session(trainer),
    )
    outputs.write_result(result)
    outputs.tracker.finish(trainer.config)
    return result


def describe_session(trainer: Trainer) -> Session:
    """What the session was started with."""
    start, views = trainer.resume_point.checkpoint, trainer.settings.translations
    size, num_images = trainer.world.size, trainer.data.num_images
    return Session(trainer.config.seed, start, size, views, num_images)


def select_model(trainer: Trainer) -> tuple[nn.Module, int]:
    """The network to test, and the epoch of its weights."""
    state, best = trainer.state, trainer.state.selection.best
    epoch = state.progress.epoch
    if best is None or trainer.settings.test_weights == "last" or best.epoch == epoch:
        return state.eval_model, epoch
    model = copy.deepcopy(state.eval_model)
    if trainer.world.is_main_process:
        model.load_state_dict(load_checkpoint(trainer.outputs.checkpoints.best)["weights"])
    trainer.world.broadcast_model(model)
    return model, best.epoch
