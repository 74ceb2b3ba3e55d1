"""Record the film of a training: what each snapshot holds is computed in evaluation mode, draws no
random numbers and changes nothing of the run."""

import logging
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.data.batches import EvaluationImages, evaluation_images
from mnist_trainer.data.split import Splits
from mnist_trainer.data.transforms import Transforms
from mnist_trainer.errors import ConfigError, DataError
from mnist_trainer.runs.film import (
    IMAGES,
    MAX_FILTER_NUMBERS,
    MAX_WIDTH,
    Film,
    FilmImages,
    Snapshot,
    film_steps,
    read_film,
    write_film,
)
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.training.evaluation import Evaluator, PredictionRecord, evaluate
from mnist_trainer.training.state import TrainingState

log = logging.getLogger(__name__)

HALF_MAX = float(np.finfo(np.float16).max)


class NoFilm:
    """Records nothing: without ``trainer.film``, and in other processes than the main one."""

    def start(self, step: int, model: nn.Module) -> None:
        """Make the first snapshot, unless a resumed run has snapshots already."""

    def add(self, step: int, model: nn.Module) -> None:
        """Make a snapshot where one is due after this step."""

    def flush(self) -> None:
        """Write the snapshots made since the last time: before a checkpoint of the same step."""

    def finish(self, step: int, model: nn.Module) -> None:
        """Make the last snapshot, project all, and write the file as it stays."""


@dataclass(frozen=True)
class Camera:
    """Makes snapshots of a network."""

    images: EvaluationImages
    evaluator: Evaluator
    """Knows the device, the loss and the batch size of evaluations."""

    def snapshot(self, step: int, model: nn.Module) -> Snapshot:
        """A snapshot of a network; waits for the device."""
        first, last = first_layer(model), last_linear(model)
        seen: list[Tensor] = []
        # The hook is removed at once: the network stays as it is.
        if last is None:
            hook = model.register_forward_hook(lambda _, __, logits: seen.append(logits))
        else:
            hook = last.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        record, evaluator = PredictionRecord(), self.evaluator
        try:
            metrics = evaluate(
                model,
                evaluator.criterion,
                evaluator.device,
                self.images.images,
                self.images.labels,
                evaluator.settings.eval_batch_size,
                record=record,
            )
        finally:
            hook.remove()
        return Snapshot(
            step=step,
            loss=metrics.loss,
            filters=filters_of(first),
            predicted=torch.cat(record.predicted).cpu().numpy().astype(np.uint8),
            activations=rounded(torch.cat([each.flatten(1).float() for each in seen])),
        )


class FilmRecorder(NoFilm):
    """Makes the snapshots that are due, and keeps them in the run folder."""

    def __init__(self, folder: RunFolder, camera: Camera, film: Film, last_step: int) -> None:
        """Args:
        film: snapshots of earlier sessions, or none yet.
        last_step: planned; a run may end before it.
        """
        self.path = folder.film
        self.camera = camera
        self.film = film
        self.due = frozenset(film_steps(last_step))
        self.is_written = True

    def start(self, step: int, model: nn.Module) -> None:
        if not self.film.snapshots:
            self._record(step, model)

    def add(self, step: int, model: nn.Module) -> None:
        if step in self.due:
            self._record(step, model)

    def flush(self) -> None:
        if not self.is_written:
            write_film(self.path, self.film)
            self.is_written = True

    def finish(self, step: int, model: nn.Module) -> None:
        if self.film.snapshots[-1].step != step:
            self._record(step, model)
        finished = self.film.projected()
        self.is_written &= finished.snapshots == self.film.snapshots
        self.film = finished
        self.flush()

    def _record(self, step: int, model: nn.Module) -> None:
        made = self.camera.snapshot(step, model)
        if self.film.projection is not None:
            # A finished run that goes on: the projection stays the one that it has.
            made = made.projected(self.film.projection)
        self.film = replace(self.film, snapshots=(*self.film.snapshots, made))
        self.is_written = False


def open_film(
    config: RunConfig,
    splits: Splits,
    transforms: Transforms,
    evaluator: Evaluator,
    state: TrainingState,
    folder: RunFolder,
    steps_per_epoch: int,
) -> NoFilm:
    """What records the film of a run, with the snapshots of its earlier sessions.

    Raises:
        ConfigError: the network has no layer whose weights could be shown.
    """
    if not config.trainer.film or not evaluator.world.is_main_process:
        return NoFilm()
    first_layer(state.eval_model)
    chosen = choose_images(splits)
    source = splits.validation if chosen.split == "validation" else splits.train
    images = source.select(torch.from_numpy(chosen.positions).long())
    camera = Camera(evaluation_images(images, transforms, evaluator.device), evaluator)
    fresh = Film(chosen, steps_per_epoch, (), None)
    step = state.progress.step
    film = (earlier_snapshots(folder, step, camera, state) if step else None) or fresh
    if not film.images.same_as(chosen):
        log.warning("%s: of other images, so the film begins anew at step %d.", folder.film, step)
        film = fresh
    return FilmRecorder(folder, camera, film, steps_per_epoch * config.trainer.epochs)


def choose_images(splits: Splits) -> FilmImages:
    """500 images, the same in every run on the same split: held-out ones where there are any."""
    split = "validation" if len(splits.validation) else "train"
    source = splits.validation if split == "validation" else splits.train
    # RandomState's stream is frozen, and this one is nobody else's.
    order = np.random.RandomState(0).permutation(len(source))[:IMAGES]
    positions = np.sort(order).astype(np.int32)
    labels = source.labels[torch.from_numpy(positions).long()].numpy().astype(np.uint8)
    return FilmImages(split, positions, labels)


def earlier_snapshots(
    folder: RunFolder, step: int, camera: Camera, state: TrainingState
) -> Film | None:
    """The film up to the step that the run is resumed from; None where none of it can be used."""
    try:
        film = read_film(folder.film)
    except DataError as error:
        log.warning("%s The film begins anew at step %d.", error, step)
        return None
    film = None if film is None else film.up_to(step)
    if film is None or not film.snapshots:
        return None
    now = camera.snapshot(step, state.eval_model)
    width = None if now.activations is None else now.activations.shape[1]
    then = film.snapshots[0].activations
    known = film.projection.mean.shape[0] if film.projection else None
    known = then.shape[1] if then is not None else known
    if film.snapshots[0].shape != now.shape or known != width:
        log.warning("%s: of another network, so the film begins anew.", folder.film)
        return None
    return film


def first_layer(model: nn.Module) -> nn.Conv2d | nn.Linear:
    """The first layer with weights.

    Raises:
        ConfigError: there is none.
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            return layer
    raise ConfigError(
        f"trainer.film=true: {type(model).__name__} has neither a Conv2d nor a Linear layer, whose"
        " weights a film shows. Use trainer.film=false, or a model of those layers."
    )


def last_linear(model: nn.Module) -> nn.Linear | None:
    """The layer whose input is the last hidden layer; None where that would be the image, or where
    no such layer is there: then the logits stand for it."""
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    return layers[-1] if layers and layers[-1] is not first_layer(model) else None


def filters_of(layer: nn.Conv2d | nn.Linear) -> np.ndarray:
    """Weights of the first units of a layer as pictures, float32 (U, H, W): of a convolution those
    of its first input, of a linear layer as the image lies before it."""
    weight = layer.weight.detach().float().cpu()
    weight = weight[:, 0] if weight.ndim == 4 else weight
    if weight.ndim == 2:
        side = round(weight.shape[1] ** 0.5)
        shape = (side, side) if side * side == weight.shape[1] else (1, weight.shape[1])
        weight = weight.unflatten(1, shape)
    count = max(1, MAX_FILTER_NUMBERS // (weight.shape[1] * weight.shape[2]))
    return weight[: min(count, 64)].clone().numpy()


def rounded(activations: Tensor) -> np.ndarray:
    """Activations (N, W) as float16; of more than ``MAX_WIDTH`` units that many, evenly spaced."""
    width = activations.shape[1]
    if width > MAX_WIDTH:
        chosen = torch.linspace(0, width - 1, MAX_WIDTH).round().long()
        activations = activations[:, chosen.to(activations.device)]
    kept = activations.nan_to_num().clamp(-HALF_MAX, HALF_MAX)
    return kept.cpu().numpy().astype(np.float16)
