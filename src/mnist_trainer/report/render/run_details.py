"""The network of a run, its classes one by one, and its calibration."""

from collections.abc import Mapping
from typing import Any

from mnist_trainer.errors import DataError
from mnist_trainer.report.read.files import below
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.report.render.document import DASH, Block, Paragraph, Table, percent
from mnist_trainer.runs.metrics import wilson_interval
from mnist_trainer.runs.predictions import Predictions
from mnist_trainer.runs.read import number


def network(run: RunRecord) -> list[Block]:
    """The layers, where the run has written them."""
    layers = [each for each in _listed(run.layers(), "layers") if "kind" in each]
    if not layers:
        return []
    rows = tuple(
        (
            str(each.get("name")),
            str(each["kind"]),
            _shape(each.get("output_shape")),
            _count(each.get("parameters")),
            _count(each.get("macs")),
        )
        for each in layers
    )
    totals = (
        _count(sum(number(each.get(key)) or 0 for each in layers)) for key in ("parameters", "macs")
    )
    columns = ("layer", "kind", "output", "parameters", "multiply-adds")
    note = "In all {} parameters, {} multiply-adds for an image.".format(*totals)
    caption = "Layers, in the order of the forward pass"
    return [Table(caption, columns, rows, frozenset({3, 4}), note)]


def film(run: RunRecord) -> list[Block]:
    """The snapshots of the training, where the run has kept them."""
    try:
        kept = run.film()
    except DataError as error:
        return [Paragraph(str(error))]
    if kept is None:
        return []
    images = len(kept.images.labels)
    rows = tuple(
        (
            f"{each.step:,}",
            f"{each.step / kept.steps_per_epoch:.2f}",
            percent(float((each.predicted == kept.images.labels).mean())),
            f"{each.loss:.4f}",
        )
        for each in kept.snapshots
    )
    what = "training" if kept.images.split == "train" else kept.images.split
    caption = f"Snapshots in film.npz, of the same {images:,} {what} images"
    note = f"To see them: mnist-export {run.path} --format lesson"
    columns = ("update", "epoch", "accuracy", "loss")
    return [Table(caption, columns, rows, frozenset(range(4)), note)]


def by_class(predictions: Predictions) -> Table:
    """How many images of each class are classified correctly, and what the others are taken for."""
    rows = []
    for label, counts in enumerate(predictions.confusion()):
        right, images = int(counts[label]), int(counts.sum())
        if not images:
            continue
        low, high = wilson_interval(right, images)
        others = counts.copy()
        others[label] = 0
        most = int(others.argmax())
        mistaken = f"{predictions.name_of(most)} ({others[most]})" if others[most] else DASH
        accuracy, interval = percent(right / images), f"{100 * low:.2f} to {100 * high:.2f} %"
        name = predictions.name_of(label)
        rows.append((name, accuracy, interval, f"{right:,}", f"{images:,}", mistaken))
    columns = ("true label", "accuracy", "95 % interval", "right", "images", "most often taken for")
    return Table("Accuracy by class", columns, tuple(rows), frozenset({1, 2, 3, 4}))


def calibration(run: RunRecord) -> list[Block]:
    """How often predictions of a probability are right, where mnist-eval has measured it."""
    found = run.evaluation()
    if below(found, "checkpoint").get("weights_sha256") != run.weights:
        return []
    rows = tuple(
        (
            percent(number(each.get("confidence"))),
            percent(number(each.get("accuracy"))),
            _count(each.get("images")),
        )
        for each in _listed(found, "calibration")
        if each.get("images")
    )
    error = number(found.get("expected_calibration_error"))
    if not rows or error is None:
        return []
    columns = ("mean probability", "accuracy", "images")
    note = f"Expected calibration error {100 * error:.2f} percentage points."
    caption = "Calibration: test images by the probability of their predicted label"
    return [Table(caption, columns, rows, frozenset({0, 1, 2}), note)]


def _listed(values: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    entries = values.get(key)
    return [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []


def _count(value: object) -> str:
    found = number(value)
    return DASH if found is None else f"{found:,.0f}"


def _shape(value: object) -> str:
    return " x ".join(map(str, value)) if isinstance(value, list) else DASH
