"""Read evaluation cards, and the measures of one: any value may be missing or of another type."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mnist_trainer.report.read.json_values import JsonValues
from mnist_trainer.report.read.records import RunRecord

FORMAT = "mnist-eval card 1"


@dataclass(frozen=True)
class Measure:
    """One number of a card."""

    part: str
    name: str
    value: float
    interval: tuple[float, float] | None
    images: int | None
    """That it is a share of; None where it is no share of images."""
    published: JsonValues
    """What was published: value, model, source; empty where nothing is."""
    is_share: bool = True
    """Else a plain number."""

    @property
    def key(self) -> tuple[str, str]:
        return self.part, self.name


def read_card(values: object) -> JsonValues | None:
    """The card that a JSON document holds; None where it holds none."""
    found = values.get("format") if isinstance(values, Mapping) else None
    return JsonValues(values) if found == FORMAT else None


def card_of(run: RunRecord) -> JsonValues | None:
    """The card of the weights that the run has tested; None where there is none."""
    card = read_card(run.card())
    if card is None or card.text("checkpoint", "weights_sha256") != run.weights:
        return None
    return card


def measures(card: JsonValues) -> list[Measure]:
    """All measures that stand in a card, in its order."""
    found = (
        *_clean(card),
        *_qmnist(card),
        *_corruptions(card),
        *_attacks(card),
        *_unknown(card),
        *_calibration(card),
        *_shifts(card),
    )
    return [each for each in found if each is not None]


def part(card: JsonValues, name: str) -> JsonValues:
    """A part of a card; empty where it is not in it."""
    return JsonValues(card.at("parts", name))


def measure(
    section: str, name: str, values: JsonValues, key: str = "accuracy", *, is_share: bool = True
) -> Measure | None:
    """The measure under a key, with the interval and what was published beside it."""
    value = values.number(key)
    if value is None:
        return None
    images = values.number("images")
    published = JsonValues(values.at("published"))
    return Measure(
        section,
        name,
        value,
        interval(values.at(f"{key}_interval_95")),
        None if images is None else int(images),
        published,
        is_share,
    )


def interval(value: Any) -> tuple[float, float] | None:
    """Two finite numbers; None for anything else."""
    bounds = value if isinstance(value, list) and len(value) == 2 else []
    low, high = (JsonValues({"bound": bound}).number("bound") for bound in bounds or (None, None))
    return None if low is None or high is None else (low, high)


Found = Iterator[Measure | None]


def _clean(card: JsonValues) -> Found:
    clean = part(card, "clean")
    yield measure("clean", "test images", clean)
    disputed = len(clean.rows("disputed"))
    yield measure("clean", f"without {disputed} disputed", JsonValues(clean.at("without_disputed")))


def _qmnist(card: JsonValues) -> Found:
    for name in ("known", "new"):
        yield measure("QMNIST", f"{name} images", JsonValues(part(card, "qmnist").at(name)))


def _corruptions(card: JsonValues) -> Found:
    found = part(card, "corruptions")
    yield measure("corruptions", "mean of all", JsonValues(found.at("mean")))
    yield measure(
        "corruptions", "mean of those not trained with", JsonValues(found.at("mean_unseen"))
    )
    for kind in found.rows("kinds"):
        name = kind.text("name").replace("_", " ")
        yield measure("corruptions", name, kind)


def _attacks(card: JsonValues) -> Found:
    attacks = part(card, "attacks")
    for name in ("fgsm", "pgd"):
        for point in attacks.rows(name):
            epsilon = point.number("epsilon")
            if epsilon:
                values = {"images": attacks.at("images"), **point.values}
                # What was published is of this epsilon.
                if epsilon == 0.3:
                    values["published"] = attacks.at("published", name)
                yield measure("attacks", f"{name.upper()}, epsilon {epsilon:g}", JsonValues(values))


def _unknown(card: JsonValues) -> Found:
    unknown = part(card, "unknown")
    yield _without_images(measure("AUROC", "errors", JsonValues(unknown.at("errors")), "auroc"))
    for kind in unknown.rows("kinds"):
        name = kind.text("name").replace("_", " ")
        yield _without_images(measure("AUROC", name, kind, "auroc"))
    for point in unknown.rows("answered"):
        if point.number("coverage") == 0.9:
            yield measure("answered", "accuracy of the surest 90 %", point)


def _without_images(found: Measure | None) -> Measure | None:
    """An AUROC is no share of images."""
    if found is None:
        return None
    return Measure(found.part, found.name, found.value, found.interval, None, found.published)


def _calibration(card: JsonValues) -> Found:
    calibration = part(card, "calibration")
    key = "expected_calibration_error"
    for name in ("before", "after"):
        yield measure("calibration", f"error {name}", JsonValues(calibration.at(name)), key)
    yield measure("calibration", "temperature", calibration, "temperature", is_share=False)


def _shifts(card: JsonValues) -> Found:
    shifts = part(card, "shifts")
    yield measure("shifts", "mean over shifts", shifts, "mean_over_shifts")
    yield measure("shifts", "mean over rotations", shifts, "mean_over_rotations")
