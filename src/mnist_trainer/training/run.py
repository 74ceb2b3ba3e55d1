"""The life of a run, as a table of contents."""

from contextlib import closing

from torch import nn

from mnist_trainer.compute.device import Device, select_device, unchanged_threads
from mnist_trainer.compute.rng import seed_everything
from mnist_trainer.compute.world import SINGLE_WORLD, World
from mnist_trainer.config.engine_rules import device_for
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.data.batches import (
    Batches,
    DataLoaderBatches,
    ResidentBatches,
    TrainingImages,
    evaluation_images,
)
from mnist_trainer.data.loading import load_splits
from mnist_trainer.data.split import Splits
from mnist_trainer.data.transforms import Transforms, build_transforms
from mnist_trainer.errors import InterruptedRunError
from mnist_trainer.models.build import build_loss, build_model
from mnist_trainer.models.summary import summarize
from mnist_trainer.runs.checkpoint import Checkpoints
from mnist_trainer.runs.checksums import write_checksums
from mnist_trainer.runs.config_hash import config_hash
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.latest import record_latest
from mnist_trainer.runs.result import Result, is_completed
from mnist_trainer.system.files import write_json
from mnist_trainer.training.build_step import build_step
from mnist_trainer.training.clock import Clock
from mnist_trainer.training.description import log_run_summary, write_description
from mnist_trainer.training.evaluation import Evaluator
from mnist_trainer.training.film import NoFilm, open_film
from mnist_trainer.training.final_test import run_final_test
from mnist_trainer.training.finite import NonFiniteDetector
from mnist_trainer.training.optim.build import build_optimizer, build_scheduler
from mnist_trainer.training.outputs import RunOutputs
from mnist_trainer.training.pruning import ShouldPrune
from mnist_trainer.training.reproduction import require_same_data
from mnist_trainer.training.restore import (
    ResumePoint,
    divergence_explained,
    restore_checkpoint,
)
from mnist_trainer.training.selection import Selection
from mnist_trainer.training.state import MovingAverage, TrainingState
from mnist_trainer.training.throughput import cost_of_step
from mnist_trainer.training.tracking.composite import open_trackers
from mnist_trainer.training.tracking.profiling import Profile, open_profile
from mnist_trainer.training.tracking.terminal import Terminal, open_terminal
from mnist_trainer.training.trail import open_trail
from mnist_trainer.training.trainer import Trainer


@unchanged_threads()
def train(
    config: RunConfig,
    folder: RunFolder,
    started: float,
    terminal: Terminal | None = None,
    world: World = SINGLE_WORLD,
    device: Device | None = None,
    should_prune: ShouldPrune | None = None,
) -> Result:
    """Train and test as configured, and leave everything that later commands need in the folder.

    Args:
        started: ``time.perf_counter()`` when the run began.
        terminal: what shows the progress; None: chosen by what standard output is.
        world: the processes that make the run together; the main one writes.
        device: where to compute; None: selected as configured.
        should_prune: asked after each epoch whether to stop; see ``Trainer.run``.

    Raises:
        UserError: of the kind that says what went wrong; see ``errors``.
    """
    trainer = prepare(config, folder, started, terminal, world, device)
    outputs = trainer.outputs
    if world.is_main_process:
        open_run(folder)
    hint = divergence_explained(config, folder, world)
    shown, trail = closing(outputs.terminal), closing(outputs.trail)
    with trail, outputs.tracker, trainer.interruption, shown, outputs.profile, hint:
        result = run_final_test(trainer, last=trainer.run(should_prune))
    if world.is_main_process:
        record_result(trainer, result)
    outputs.terminal.finished(result, str(folder))
    if (number := trainer.interruption.requested) is not None:
        # Whoever started this process, a sweep or a script, must not go on to the next run.
        raise InterruptedRunError(f"asked to stop, but all was done: {folder} is finished.", number)
    return result


def prepare(
    config: RunConfig,
    folder: RunFolder,
    started: float,
    terminal: Terminal | None = None,
    world: World = SINGLE_WORLD,
    device: Device | None = None,
    splits: Splits | None = None,
) -> Trainer:
    """Build everything up to the first step, in the order in which the data flow: from the data set
    that is configured, or from given splits."""
    device = device or configured_device(config, world)
    seed_everything(config.seed)
    splits = splits or load_data(config)
    transforms = build_transforms(config.transforms.fixed, config.transforms.random)
    data = make_training_images(config, splits, transforms, device, world)
    criterion = build_loss(config.loss).to(device.torch_device)
    size = image_size(splits, transforms)
    model = make_model(config, splits.num_classes, size, device)
    layers = summarize(model, (1, size, size), splits.num_classes)  # Rejects mismatched shapes.
    state = make_state(config, model, data.steps_per_epoch, device)
    checkpoints, steps = Checkpoints(folder.checkpoints), data.steps_per_epoch
    resume_point = restore_checkpoint(checkpoints, state, folder, config, steps, device, world)
    world.broadcast_model(model)
    cost = cost_of_step(config, layers, criterion, data.update_size, device)
    detector = NonFiniteDetector(device)
    step = build_step(config, state, criterion, device, detector, data, transforms, world)
    terminal = terminal or open_terminal(world.is_main_process)
    write_description(config, splits, layers, device, folder, world)
    log_run_summary(config, splits, device, model, layers, terminal, world)
    clock = Clock(device, started, resume_point.seconds)
    evaluator = make_evaluator(config, splits, transforms, criterion, device, clock, world)
    film = open_film(config, splits, transforms, evaluator, state, folder, steps)
    profile = open_profile(config.tracker, folder, device, terminal, cost, world.is_main_process)
    outputs = open_outputs(
        config, folder, checkpoints, resume_point, profile, terminal, film, world
    )
    return Trainer(
        config, state, data, step, detector, evaluator, outputs, clock, resume_point, world, cost
    )


def load_data(config: RunConfig) -> Splits:
    """The images of the run; of one that is compared with another, the same ones."""
    splits = load_splits(config.data)
    if config.reproduce:
        require_same_data(config, splits.sha256)
    return splits


def configured_device(config: RunConfig, world: World) -> Device:
    """The device that the configuration asks for, of this process."""
    return select_device(device_for(config.trainer.engine, config.device), world.rank_info)


def open_run(folder: RunFolder) -> None:
    """Make it the latest run; what an earlier session has left as its result holds no longer."""
    folder.checksums.unlink(missing_ok=True)
    record_latest(folder)
    clear_failed_result(folder)


def clear_failed_result(folder: RunFolder) -> None:
    """Delete the failed result of an earlier session, now that the run goes on."""
    if not is_completed(folder.result):
        folder.result.unlink(missing_ok=True)


def record_result(trainer: Trainer, result: Result) -> None:
    """Write the result of a completed run, and the checksums of its files."""
    folder, identity = trainer.outputs.folder, config_hash(trainer.config.plain)
    write_json(folder.result, {**result.as_json(), "identity": identity})
    write_checksums(folder)


def make_training_images(
    config: RunConfig, splits: Splits, transforms: Transforms, device: Device, world: World
) -> TrainingImages:
    """The training images in updates; of several processes each has its shard of every update."""
    update_size = config.trainer.batch_size * config.trainer.accumulation
    shard_size = len(range(update_size)[world.shard(update_size)])
    batches: Batches
    if config.data.loader == "dataloader":
        batches = DataLoaderBatches(
            splits.train, transforms, device, shard_size, config.data.num_workers
        )
    else:
        batches = ResidentBatches(splits.train, transforms, device, shard_size)
    if world.size > 1:
        from mnist_trainer.training.data_parallel import ShardedBatches

        batches = ShardedBatches(batches, update_size, world)
    return TrainingImages(
        batches,
        num_images=len(splits.train),
        num_random_params=transforms.num_random_params,
        update_size=update_size,
        seed=config.seed,
        class_names=splits.class_names,
    )


def image_size(splits: Splits, transforms: Transforms) -> int:
    """Side of the images that the model sees, in pixels."""
    return int(transforms.preprocess(splits.train.images[:1]).shape[-1])


def make_model(config: RunConfig, num_classes: int, size: int, device: Device) -> nn.Module:
    """The network with its initial weights, on the device."""
    model = build_model(config.model, num_classes, size).to(device.torch_device)
    return model.to(memory_format=device.memory_format)


def make_state(
    config: RunConfig, model: nn.Module, steps_per_epoch: int, device: Device
) -> TrainingState:
    """The network with its optimizer and all that changes with them, at step 0."""
    optimizer = build_optimizer(config.optimizer, model, capturable=device.graphs)
    total_steps = steps_per_epoch * config.trainer.epochs
    decay = config.trainer.ema_decay
    return TrainingState(
        model=model,
        optimizer=optimizer,
        scheduler=build_scheduler(config.scheduler, optimizer, steps_per_epoch, total_steps),
        scaler=device.grad_scaler(),
        selection=Selection(config.trainer.monitor, config.trainer.patience),
        ema=None if decay is None else MovingAverage(model, decay),
    )


def make_evaluator(
    config: RunConfig,
    splits: Splits,
    transforms: Transforms,
    criterion: nn.Module,
    device: Device,
    clock: Clock,
    world: World,
) -> Evaluator:
    """The validation and test images, preprocessed, with what evaluates them."""
    held_out = evaluation_images(splits.validation, transforms, device)
    test = evaluation_images(splits.test, transforms, device)
    return Evaluator(config.trainer, device, criterion, held_out, test, clock, world)


def open_outputs(
    config: RunConfig,
    folder: RunFolder,
    checkpoints: Checkpoints,
    resume_point: ResumePoint,
    profile: Profile,
    terminal: Terminal,
    film: NoFilm,
    world: World,
) -> RunOutputs:
    """Open the files and displays that the run writes to."""
    is_main = world.is_main_process
    tracker = open_trackers(
        config,
        folder,
        kept_bytes=resume_point.metrics_bytes,
        last_step=resume_point.step,
        is_main_process=is_main,
    )
    trail = open_trail(folder, resume_point.step or 0, config.reproduce, terminal, is_main)
    return RunOutputs(folder, checkpoints, tracker, profile, terminal, trail, film)
