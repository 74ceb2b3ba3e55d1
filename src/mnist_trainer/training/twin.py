"""A twin of a run that differs from it in rounding alone: the measure of what rounding makes.

From some step on each batch holds the same images in reversed order. The mean of the gradient is
the same number, summed in another order, so that only its rounding differs.
"""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import Tensor, nn

from mnist_trainer.compute.device import Device, unchanged_threads
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.training.adversarial_step import AdversarialStep
from mnist_trainer.training.run import prepare
from mnist_trainer.training.tracking.terminal import Terminal
from mnist_trainer.training.trainer import Trainer

DROPOUTS = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)


@unchanged_threads()
def reversed_twin(config: RunConfig, device: Device, first: int, last: int) -> dict[int, float]:
    """Train as configured up to a step, with reversed batches from another step on.

    Args:
        first: step of the first batch that is reversed, counted from 1.
        last: the step after which the twin ends.

    Returns:
        Step to training loss, from step 1 on; up to ``first - 1`` those of the run itself.

    Raises:
        UserError: as ``train``.
    """
    plain = {**config.plain, "reproduce": None}
    tracker = replace(config.tracker, enabled=False, extra=None)
    unfilmed = replace(config.trainer, film=False)
    with TemporaryDirectory(prefix="mnist-trainer-twin-") as place:
        trainer = prepare(
            replace(config, plain=plain, tracker=tracker, trainer=unfilmed),
            RunFolder(Path(place)),
            time.perf_counter(),
            Terminal(),
            device=device,
        )
        with trainer.outputs.tracker, closing(trainer.outputs.trail):
            return dict(_losses(trainer, first, last))


def _losses(trainer: Trainer, first: int, last: int) -> Iterator[tuple[int, float]]:
    progress, model = trainer.progress, trainer.state.model
    model.train()
    for epoch in range(trainer.settings.epochs):
        for images, labels in trainer.data.epoch(epoch):
            if progress.step + 1 < first:
                output = trainer.train_step(images, labels)
            else:
                if isinstance(trainer.step, AdversarialStep):
                    trainer.step.reversed_starts = True
                with dropout_unreversed(model):
                    output = trainer.train_step(images.flip(0), labels.flip(0))
            yield progress.step, float(output.loss)
            if progress.step == last:
                return
        progress.epoch, progress.batch = epoch + 1, 0


@contextmanager
def dropout_unreversed(model: nn.Module) -> Iterator[None]:
    """Let each image of a reversed batch meet the dropout mask that it meets in the run itself."""

    def flip_input(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return (inputs[0].flip(0), *inputs[1:])

    def flip_output(_: nn.Module, __: object, output: Tensor) -> Tensor:
        return output.flip(0)

    layers = [module for module in model.modules() if isinstance(module, DROPOUTS)]
    hooks = [layer.register_forward_pre_hook(flip_input) for layer in layers]
    hooks += [layer.register_forward_hook(flip_output) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
