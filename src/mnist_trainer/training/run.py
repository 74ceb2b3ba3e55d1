"""The life of a run, as a table of contents."""

import logging
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from mnist_trainer.compute.device import Device, select_device, unchanged_threads
from mnist_trainer.compute.environment import describe_environment
from mnist_trainer.compute.rng import seed_everything
from mnist_trainer.compute.world import SINGLE_WORLD, World
from mnist_trainer.config.config_hash import identity
from mnist_trainer.config.engine_rules import BY_HAND, device_for
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.data.batches import Batches, DataLoaderBatches, ResidentBatches
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.data.loading import load_dataset, load_splits
from mnist_trainer.data.split import Splits
from mnist_trainer.data.transforms import Transforms, build_transforms
from mnist_trainer.errors import CheckpointError
from mnist_trainer.models.build import build_loss, build_model
from mnist_trainer.models.summary import count_parameters, summarize
from mnist_trainer.runs.checkpoint import Checkpoints, load_checkpoint
from mnist_trainer.runs.folder import RunFolder, update_latest_symlink
from mnist_trainer.runs.metrics import Metrics
from mnist_trainer.runs.result import Result, is_completed
from mnist_trainer.system.files import atomic_write, sweep_temporaries, write_json
from mnist_trainer.system.messages import counted
from mnist_trainer.training.accumulators import make_accumulator
from mnist_trainer.training.clock import Clock
from mnist_trainer.training.cuda_graph import choose_step
from mnist_trainer.training.engines.select import make_engine
from mnist_trainer.training.optim.build import build_optimizer, build_scheduler
from mnist_trainer.training.scorer import Evaluator
from mnist_trainer.training.selection import Selection
from mnist_trainer.training.stages import FRESH_START, EvaluationImages, ResumePoint
from mnist_trainer.training.state import MovingAverage, Progress, TrainingState
from mnist_trainer.training.tracking.profiling import open_profile
from mnist_trainer.training.tracking.terminal import Terminal, open_terminal
from mnist_trainer.training.tracking.trackers import open_trackers
from mnist_trainer.training.trainer import Trainer
from mnist_trainer.training.update import NonFiniteDetector, Step, Update

log = logging.getLogger(__name__)


@unchanged_threads()
def train(
    config: RunConfig,
    folder: RunFolder,
    started: float,
    terminal: Terminal | None = None,
    world: World = SINGLE_WORLD,
    should_prune: Callable[[int, Metrics], bool] | None = None,
) -> Result:
    """Train and test as configured, and leave everything that later commands need in the folder.

    Args:
        started: ``time.perf_counter()`` when the run began.
        terminal: what is told of the run, where that is not for the run itself to choose.
        world: the processes that make the run together; the first of them writes.
        should_prune: asked after each epoch, with its validation metrics, whether to end there.

    Raises:
        UserError: of the kind that says what went wrong; see ``errors``.
    """
    trainer = prepare(config, folder, started, terminal, world)
    trainer.should_prune = should_prune
    if world.is_main_process:
        update_latest_symlink(folder)
        clear_failed_result(folder)
    with trainer.tracker, trainer.interruption, closing(trainer.terminal), trainer.profile:
        result = trainer.run()
    if world.is_main_process:
        write_json(folder.result, {**result.as_json(), "identity": identity(config.plain)})
    trainer.terminal.finished(result, str(folder))
    return result


def prepare(
    config: RunConfig,
    folder: RunFolder,
    started: float,
    terminal: Terminal | None = None,
    world: World = SINGLE_WORLD,
) -> Trainer:
    """Everything up to the first step: the parts of the run in the order in which data passes them."""
    device = select_device(device_for(config.trainer.engine, config.device), world.rank_info)
    seed_everything(config.seed)
    dataset = load_dataset(config.data)
    splits = load_splits(config.data)
    transforms = build_transforms(config.fixed_transforms, config.random_transforms)
    batches = make_batches(config, splits, transforms, device, world)
    criterion = build_loss(config.loss).to(device.torch_device)
    size = image_size(splits, transforms)
    state = make_state(config, splits, size, device)
    checkpoints = Checkpoints(folder.checkpoints)
    begun = (
        restore_checkpoint(checkpoints, state, folder, config, world)
        if config.resume
        else FRESH_START
    )
    world.broadcast_model(state.model)
    watch = NonFiniteDetector(device, state.progress.step)
    engine = make_engine(config.trainer.engine, state.model, criterion, state.scaler, device)
    update = Update(
        state,
        engine,
        device,
        watch,
        -(-config.trainer.batch_size // world.size),
        config.trainer.clip_norm,
    )
    if world.is_main_process:
        write_config(config, folder)
        write_json(
            folder.environment, describe_environment(device, dataset.sha256, world.describe())
        )
    terminal = terminal or open_terminal(world.is_main_process)
    announce(config, splits, size, device, state, terminal, world)
    held_out, tested = (
        evaluation_images(split, transforms, device) for split in (splits.validation, splits.test)
    )
    clock = Clock(device, started, begun.seconds)
    return Trainer(
        config=config,
        device=device,
        state=state,
        update=make_step(config, update, len(splits.train), world),
        watch=watch,
        batches=batches,
        num_images=len(splits.train),
        num_random_params=transforms.num_random_params,
        scorer=Evaluator(config.trainer, device, criterion, held_out, tested, clock, world),
        class_names=splits.class_names,
        folder=folder,
        checkpoints=checkpoints,
        begun=begun,
        tracker=open_trackers(
            config,
            folder,
            kept_bytes=begun.metrics_bytes,
            last_step=begun.step,
            is_main_process=world.is_main_process,
        ),
        profile=open_profile(config.tracker, folder, device, terminal, world.is_main_process),
        terminal=terminal,
        clock=clock,
        interruption=world.interruption(),
        world=world,
    )


def clear_failed_result(folder: RunFolder) -> None:
    """What an earlier session has said of its failure is over once another one goes on."""
    if not is_completed(folder.result):
        folder.result.unlink(missing_ok=True)


def restore_checkpoint(
    checkpoints: Checkpoints,
    state: TrainingState,
    folder: RunFolder,
    config: RunConfig,
    world: World = SINGLE_WORLD,
) -> ResumePoint:
    """Bring the state to where the newest whole checkpoint has it; to the start where the run never
    came to write one.

    Raises:
        CheckpointError: there are checkpoints, but none that can be used.
    """
    found = world.broadcast_from_main(lambda: newest_checkpoint(checkpoints, folder))
    if not found:
        log.warning(
            "%s: no checkpoint was written yet, so the run starts from the beginning.", folder
        )
        return FRESH_START
    path = Path(found)
    saved = load_checkpoint(path)
    state.load_state_dict(saved, options_set_anew(saved["config"], config))
    step = state.progress.step
    log.info("Going on from %s, step %d", path, step)
    return ResumePoint(
        f"{path.name}, step {step}", step, int(saved["metrics_bytes"]), saved.get("seconds", {})
    )


def options_set_anew(saved: Mapping[str, Any], config: RunConfig) -> set[str]:
    """Options of the optimizer that are not what they were when a checkpoint was saved, by its
    configuration.

    Raises:
        CheckpointError: it was another optimizer.
    """
    then, now = saved.get("optimizer"), config.plain["optimizer"]
    if not isinstance(then, dict) or then.get("_target_") != now["_target_"]:
        was = then.get("_target_") if isinstance(then, dict) else "no optimizer"
        raise CheckpointError(
            f"optimizer._target_={now['_target_']}: the checkpoint holds the state of {was}, from"
            " which another optimizer cannot go on.\nStart a new run without resume=, or leave the"
            " optimizer as it was."
        )
    return {option for option in now if option not in then or now[option] != then[option]}


def newest_checkpoint(checkpoints: Checkpoints, folder: RunFolder) -> str:
    """Path of the newest checkpoint that can be trusted, what cut-short writes have left swept
    away; empty without one."""
    for place in (folder.path, checkpoints.folder):
        sweep_temporaries(place)
    newest = checkpoints.newest()
    return str(newest[1]) if newest else ""


def make_batches(
    config: RunConfig,
    splits: Splits,
    transforms: Transforms,
    device: Device,
    world: World = SINGLE_WORLD,
) -> Batches:
    """Training images in portions of one update; of several processes each has its part of it."""
    own = world.shard(update_size(config))
    size = len(range(update_size(config))[own])
    batches: Batches
    if config.data.loader == "dataloader":
        batches = DataLoaderBatches(splits.train, transforms, device, size, config.data.num_workers)
    else:
        batches = ResidentBatches(splits.train, transforms, device, size)
    if world.size == 1:
        return batches
    from mnist_trainer.training.data_parallel import ShardedBatches

    return ShardedBatches(batches, update_size(config), world)


def make_step(config: RunConfig, update: Update, num_images: int, world: World) -> Step:
    """The way in which updates are made: by one process, or by several together."""
    if world.size == 1:
        return choose_step(update, update_size(config), config.device.graph)
    from mnist_trainer.training.data_parallel import DataParallelStep, warn_of_batch_statistics

    warn_of_batch_statistics(config, update.state.model, world)
    return DataParallelStep(update, world, update_size(config), num_images, config.seed)


def update_size(config: RunConfig) -> int:
    """Images of one update."""
    return config.trainer.batch_size * config.trainer.accumulation


def image_size(splits: Splits, transforms: Transforms) -> int:
    """Side of the images that the model sees, in pixels."""
    return int(transforms.prepare(splits.train.images[:1]).shape[-1])


def make_state(config: RunConfig, splits: Splits, size: int, device: Device) -> TrainingState:
    """Network, optimizer and all that changes with them, at step 0."""
    model = build_model(config.model, splits.num_classes, size).to(device.torch_device)
    model = model.to(memory_format=device.memory_format)
    summarize(model, (1, size, size), splits.num_classes)
    optimizer = build_optimizer(config.optimizer, model, capturable=device.graphs)
    steps_per_epoch = -(-len(splits.train) // update_size(config))
    return TrainingState(
        model=model,
        optimizer=optimizer,
        scheduler=build_scheduler(
            config.scheduler, optimizer, steps_per_epoch, steps_per_epoch * config.trainer.epochs
        ),
        scaler=device.grad_scaler(),
        selection=Selection(config.trainer),
        epoch_accumulator=make_accumulator(device.torch_device),
        interval_accumulator=make_accumulator(device.torch_device),
        averaged=(
            None
            if config.trainer.ema_decay is None
            else MovingAverage(model, config.trainer.ema_decay)
        ),
        progress=Progress(),
    )


def evaluation_images(
    data: LabelledImages, transforms: Transforms, device: Device
) -> EvaluationImages:
    """A split as the model sees it: prepared once, never augmented."""
    images = transforms.preprocess_cached(data.images.to(device.torch_device))
    return EvaluationImages(
        images.contiguous(memory_format=device.memory_format), data.labels.to(device.torch_device)
    )


def write_config(config: RunConfig, folder: RunFolder) -> None:
    """config.yaml: every setting, resolved."""
    with atomic_write(folder.config) as file:
        file.write(config.yaml.encode())


def announce(
    config: RunConfig,
    splits: Splits,
    size: int,
    device: Device,
    state: TrainingState,
    terminal: Terminal,
    world: World,
) -> None:
    """Say what is about to be trained, on what."""
    held_out = f", {len(splits.validation):,} for validation" if len(splits.validation) else ""
    epochs = counted(config.trainer.epochs, "epoch")
    lines = [
        (
            f"{config.label}: {count_parameters(state.model):,} parameters, {epochs}, seed"
            f" {config.seed}"
        ),
        (
            f"data    {config.data.name}: {len(splits.train):,} images for training{held_out},"
            f" {len(splits.test):,} for the test"
        ),
        (
            f"device  {device.type} ({device.name}),"
            f" {device.precision}{f', {world.size} processes' if world.size > 1 else ''}"
        ),
    ]
    if how := BY_HAND.get(config.trainer.engine):
        lines.append(f"engine  {config.trainer.engine}: {how}")
    for line in lines:
        log.info(line)
    terminal.started(lines, summarize(state.model, (1, size, size)))
