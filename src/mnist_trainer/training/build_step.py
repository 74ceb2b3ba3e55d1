"""The training step that the configuration asks for."""

from torch import nn

from mnist_trainer.compute.device import Device
from mnist_trainer.compute.world import World
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.data.batches import TrainingImages
from mnist_trainer.data.transforms import Transforms
from mnist_trainer.models.losses import Distill
from mnist_trainer.training.adversarial_step import AdversarialStep, pixel_values
from mnist_trainer.training.cuda_graph import choose_step
from mnist_trainer.training.engines.distillation import DistillationEngine
from mnist_trainer.training.engines.select import make_engine
from mnist_trainer.training.finite import NonFiniteDetector
from mnist_trainer.training.state import TrainingState
from mnist_trainer.training.step import Step, TrainStep
from mnist_trainer.training.teacher import load_teacher


def build_step(
    config: RunConfig,
    state: TrainingState,
    criterion: nn.Module,
    device: Device,
    detector: NonFiniteDetector,
    data: TrainingImages,
    transforms: Transforms,
    world: World,
) -> Step:
    """The training step: on one device, as a CUDA graph where possible, or data-parallel; on
    adversarial examples where the configuration asks for them."""
    engine = make_engine(config.trainer.engine, state.model, criterion, state.scaler, device)
    if isinstance(criterion, Distill):
        teacher = load_teacher(criterion, data.class_names, transforms, device)
        engine = DistillationEngine(state.model, criterion, state.scaler, device, teacher)
    batch_size = -(-config.trainer.batch_size // world.size)
    single = TrainStep(state, engine, device, detector, batch_size, config.trainer.clip_norm)
    step: Step
    if world.size == 1:
        step = choose_step(single, data.update_size, config.device.graph)
    else:
        from mnist_trainer.training.data_parallel import DataParallelStep, warn_of_batch_statistics

        warn_of_batch_statistics(config, state.model, world)
        step = DataParallelStep(single, world, data.update_size, data.num_images, config.seed)
    adversary = config.trainer.adversary
    if adversary is None:
        return step
    pixels, attacked = pixel_values(transforms), config.trainer.batch_size
    return AdversarialStep(step, adversary, state, data, device, world, pixels, attacked)
