"""What a lesson page carries of the training: the film of the run, and images to score on."""

import logging
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mnist_trainer.data.images import LabelledImages
from mnist_trainer.data.loading import load_splits
from mnist_trainer.errors import ConfigError, DataError
from mnist_trainer.inference.export.lesson_data import Part, array_part, images_part
from mnist_trainer.runs.film import Film, FilmImages, read_film
from mnist_trainer.runs.trail import read_trail
from mnist_trainer.training.film import choose_images

if TYPE_CHECKING:
    from mnist_trainer.inference.trained_model import TrainedModel

log = logging.getLogger(__name__)

SCORED = 200
"""Images that a changed network is scored on."""
CURVE_POINTS = 200
POINT_RANGE = 32767


def film_of(trained: "TrainedModel") -> Film | None:
    """The film of the run; None where it kept none, or where its file is damaged."""
    if trained.folder is None:
        return None
    try:
        film = read_film(trained.folder.film)
    except DataError as error:
        log.warning("%s The page has no film.", error)
        return None
    return None if film is None else film.projected()


def film_part(film: Film, trained: "TrainedModel") -> Part:
    """The film for ``film.js``. Filters are whole multiples of ``filter_unit``, as in the file;
    points are whole multiples of the unit of their snapshot, around its centre."""
    filters = np.stack([each.filters for each in film.snapshots])
    unit = film.filter_unit or float(np.abs(filters).max()) / 127 or 1.0
    whole = np.rint(filters.astype(np.float64) / unit)
    maps = np.stack([each.points for each in film.snapshots if each.points is not None])
    centres = maps.mean(axis=1, dtype=np.float64)  # (S, 2)
    spread = maps - centres[:, None]
    units = np.maximum(np.abs(spread).max(axis=(1, 2)), 1e-30) / POINT_RANGE  # (S,)
    projection = film.projection
    return {
        "steps": [each.step for each in film.snapshots],
        "losses": [_finite(each.loss) for each in film.snapshots],
        "steps_per_epoch": film.steps_per_epoch,
        "split": film.images.split,
        "explained": projection.explained if projection else 0.0,
        "network_step": trained.checkpoint.step,
        "filter_unit": unit,
        "filters": array_part(whole.astype(np.int8 if np.abs(whole).max() <= 127 else np.int16)),
        "centres": centres.tolist(),
        "point_units": units.tolist(),
        "points": array_part(np.rint(spread / units[:, None, None]).astype(np.int16)),
        "predicted": array_part(np.stack([each.predicted for each in film.snapshots])),
        "labels": array_part(film.images.labels),
        "curve": training_curve(trained),
    }


def training_curve(trained: "TrainedModel") -> list[list[float]]:
    """Step and training loss, means over steps that lie close together on a logarithmic scale;
    empty where they are not known."""
    trail = None if trained.folder is None else read_trail(trained.folder.trail)
    losses = trail.losses if trail else {}
    found = sorted((step, loss) for step, loss in losses.items() if np.isfinite(loss))
    if not found:
        return []
    scale = CURVE_POINTS / np.log1p(found[-1][0])
    groups = [list(group) for _, group in groupby(found, lambda e: int(scale * np.log1p(e[0])))]
    return [[float(each) for each in np.mean(group, axis=0)] for group in groups]


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def held_out_part(networks: "Sequence[TrainedModel]", film: Film | None) -> Part:
    """200 images of the first run that it did not train on, chosen as those of a film; training
    images where it held none out. Never test images.

    Returns:
        Images, labels, and ``split``: validation, train, or mixed where a second run had another
        split, and may have trained on some of them.

    Raises:
        ConfigError: the classes of the two runs are not the same.
        DataError: the data set cannot be read.
    """
    trained = networks[0]
    for other in networks[1:]:
        refuse_other_classes(trained, other)
    splits = load_splits(trained.config.data)
    chosen = choose_images(splits)
    if film is not None and _are_of(film.images, splits):
        chosen = film.images
    source = splits.validation if chosen.split == "validation" else splits.train
    images = source.select(torch.from_numpy(chosen.positions[:SCORED]).long())
    held_out = {each.config.data.held_out for each in networks}
    split = chosen.split if len(held_out) == 1 or chosen.split == "train" else "mixed"
    return {"split": split, **images_part(images)}


def refuse_other_classes(trained: "TrainedModel", other: "TrainedModel") -> None:
    """Check that two networks answer with the same classes.

    Raises:
        ConfigError: they do not.
    """
    if trained.class_names != other.class_names:
        names = [
            f"{each.config.data.name} ({each.num_classes} classes)" for each in (trained, other)
        ]
        raise ConfigError(
            f"--format lesson: {names[0]} and {names[1]} have other classes, so the answers of the"
            " two runs cannot be compared. Name two runs on the same data set, or one run."
        )


def _are_of(images: FilmImages, splits: Any) -> bool:
    """Whether the images of a film lie in a split, by their labels."""
    source: LabelledImages = splits.validation if images.split == "validation" else splits.train
    if not len(source) or int(images.positions.max()) >= len(source) or images.positions.min() < 0:
        return False
    labels = source.labels[torch.from_numpy(images.positions).long()].numpy()
    return bool(np.array_equal(labels, images.labels))
