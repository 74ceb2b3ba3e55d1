"""Adversarial training: each batch is replaced by adversarial examples against the current weights.

Madry et al., Towards deep learning models resistant to adversarial attacks (ICLR 2018), equation
2.1; with one step of 1.25 epsilon it is the training of Wong, Rice and Kolter, Fast is better than
free (ICLR 2020).

The attack runs in evaluation mode, so that it neither updates the statistics of batch normalisation
nor draws dropout masks (Pang et al., Bag of tricks for adversarial training, ICLR 2021, section
3.7); the update that follows runs in training mode. It maximizes cross entropy, whatever the loss
of the run, and comes before the step itself, so that a CUDA graph or several processes see nothing
of it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mnist_trainer.compute.device import Device
from mnist_trainer.compute.world import World
from mnist_trainer.config.settings import AdversarySettings
from mnist_trainer.data.batches import TrainingImages, stream_seed
from mnist_trainer.data.transforms import Transforms
from mnist_trainer.errors import ConfigError
from mnist_trainer.training.adversary import allowed_range, maximize_loss
from mnist_trainer.training.state import TrainingState
from mnist_trainer.training.step import Step, StepOutput

STREAM = 1
"""Keeps the random starts apart from other numbers that are drawn for a step."""


@dataclass
class AdversarialStep:
    """A step on the adversarial examples of its images."""

    step: Step
    settings: AdversarySettings
    state: TrainingState
    data: TrainingImages
    device: Device
    world: World
    pixels: tuple[float, float]
    """Values of black and white pixels in the images of a step."""
    batch_size: int
    """Images that are attacked together; the result does not depend on it."""
    reversed_starts: bool = False
    """Whether the random starts are taken in reversed order, for batches in reversed order."""

    def __call__(self, images: Tensor, labels: Tensor, *, measure_norm: bool) -> StepOutput:
        return self.step(self.attack(images, labels), labels, measure_norm=measure_norm)

    def attack(self, images: Tensor, labels: Tensor) -> Tensor:
        """Adversarial examples of images (N, 1, H, W) and labels (N,), this process's shard of an
        update."""
        if not len(labels):
            return images
        model, settings = self.state.model, self.settings
        low, high = self.pixels
        scale = (high - low) * self.warmup_factor()
        was_training = model.training
        model.eval()
        parts = zip(
            images.split(self.batch_size),
            labels.split(self.batch_size),
            self.random_starts(images).split(self.batch_size),
            strict=True,
        )
        attacked = []
        for part, part_labels, numbers in parts:
            allowed = allowed_range(part, scale * settings.epsilon, low, high)
            attacked.append(
                maximize_loss(
                    self.logits,
                    allowed.at(numbers),
                    part_labels,
                    allowed,
                    steps=settings.steps,
                    step_size=scale * settings.step_size,
                )
            )
        model.train(was_training)
        return torch.cat(attacked).contiguous(memory_format=self.device.memory_format)

    def logits(self, images: Tensor) -> Tensor:
        """Logits (N, C) in the precision of the run."""
        with self.device.autocast():
            logits: Tensor = self.state.model(images)
        return logits

    def warmup_factor(self) -> float:
        """Share of epsilon that is in force, by the number of the step; 1 after the warm-up."""
        steps = self.settings.warmup_epochs * self.data.steps_per_epoch
        return min(1.0, self.state.progress.step / steps) if steps > 0 else 1.0

    def random_starts(self, images: Tensor) -> Tensor:
        """Numbers in [0, 1) for each pixel, a function of the seed and the number of the step: the
        same on every device, after a resume, and however many processes share the update."""
        progress = self.state.progress
        # The trainer has counted this update already.
        done = (progress.batch - 1) * self.data.update_size
        total = min(self.data.update_size, self.data.num_images - done)
        stream = stream_seed(self.data.seed, progress.step, STREAM, 0)
        generator = torch.Generator().manual_seed(stream)
        numbers = torch.rand(total, *images.shape[1:], generator=generator)
        numbers = numbers[self.world.shard(total)]
        return (numbers.flip(0) if self.reversed_starts else numbers).to(images.device)


def pixel_values(transforms: Transforms) -> tuple[float, float]:
    """What the fixed transforms make of black and of white pixels.

    Raises:
        ConfigError: they do more to a pixel's value than to shift and scale it, so that a distance
            between pixels is no distance between what the network sees.
    """
    found = transforms.pixel_range()
    if found is None:
        names = ", ".join(type(transform).__name__ for transform in transforms.fixed)
        raise ConfigError(
            f"trainer.adversary.epsilon: the fixed transforms ({names}) do more to the value of a"
            " pixel than to shift and scale it, as Normalize does, so an epsilon of pixels is not"
            " defined behind them. Use transforms=normalize, augment, crop or none, or train"
            " without: trainer.adversary.epsilon=null"
        )
    return found
