"""The whole card: its parts, batches of any size, and images that are no digits."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import torch

from mnist_trainer.data.corruptions.apply import CORRUPTIONS, PUBLISHED_STRENGTH, corrupt
from mnist_trainer.errors import ConfigError
from mnist_trainer.inference.card import subject as subject_module
from mnist_trainer.inference.card import unknown as unknown_module
from mnist_trainer.inference.card.board import curves
from mnist_trainer.inference.card.card import SCORERS, make_card
from mnist_trainer.inference.card.corruptions import (
    mean_accuracy,
    score_corruptions,
    trained_with,
)
from mnist_trainer.inference.card.not_digits import KINDS, images_without_digits
from mnist_trainer.inference.card.parts import EFFORTS, PARTS, parse_parts
from mnist_trainer.inference.card.pictures import tile
from mnist_trainer.inference.card.subject import Subject, accuracy_of
from mnist_trainer.inference.card.unknown import confidences
from mnist_trainer.inference.trained_model import TrainedModel
from tests.conftest import Compose
from tests.unit.inference.card.conftest import TINY


def silent(name: str) -> None:
    """No progress is shown."""


def test_every_part_is_scored_with_the_steps_it_announces(
    trained: TrainedModel, subject: Subject
) -> None:
    steps: list[tuple[str, int]] = []
    root = subject.settings.root
    card = make_card(trained, TINY, PARTS, lambda *step: steps.append(step), root)
    assert tuple(SCORERS) == tuple(card.values["parts"]) == PARTS
    parts = json.loads(json.dumps(card.values, allow_nan=False))["parts"]
    assert parts["clean"]["correct"] == int(subject.correct.sum())
    assert len(parts["corruptions"]["kinds"]) == 15
    assert set(card.pictures) >= {"contact_sheet", "not_digits"}
    assert all(picture.dtype == np.uint8 for picture in card.pictures.values())
    # QMNIST is not there: its two steps are not made.
    skipped = 2 if "skipped" in parts["qmnist"] else 0
    assert {total for _, total in steps} == {sum(each.steps for each in SCORERS.values())}
    assert len(steps) == steps[0][1] - skipped
    names = {name for name, _, _ in curves(parts)}
    assert names >= {"attacks/pgd", "answered/accuracy", *(f"corruptions/{k}" for k in CORRUPTIONS)}


def test_batches_make_no_difference(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    def of_parts() -> Any:
        parts = ("clean", "corruptions", "shifts")
        return {part: SCORERS[part].score(subject, silent)[0] for part in parts}

    whole = of_parts()
    for module in (subject_module, unknown_module):
        monkeypatch.setattr(module, "CHUNK", 7)
    assert of_parts() == whole


def test_corrupted_images_are_those_of_corrupt(subject: Subject) -> None:
    found = score_corruptions(subject, silent)
    images = subject.spaced(TINY.corrupted)
    for kind in found["kinds"]:
        name, strength = kind["name"], PUBLISHED_STRENGTH[kind["name"]]
        changed = corrupt(images.images, name, strength, seed=0)
        expected = accuracy_of(subject.trained, dataclasses.replace(images, images=changed))
        assert kind["strengths"][strength - 1] == {"strength": strength, **expected}
        assert kind["accuracy"] == expected["accuracy"]
    mean = sum(kind["accuracy"] for kind in found["kinds"]) / 15
    assert found["mean"]["accuracy"] == pytest.approx(mean)
    assert "mean_unseen" not in found


def test_what_was_trained_with_is_told(subject: Subject, compose: Compose) -> None:
    config = compose("transforms=corrupt", "transforms.random.1.kinds=[fog,stripe]")
    trained = dataclasses.replace(subject.trained, config=config)
    changed = dataclasses.replace(subject, trained=trained)
    assert trained_with(changed) == {"fog", "stripe"}
    found = score_corruptions(changed, silent)
    assert len(found["mean_unseen"]["kinds"]) == 13
    unseen = [kind["accuracy"] for kind in found["kinds"] if not kind["seen_in_training"]]
    assert found["mean_unseen"]["accuracy"] == pytest.approx(sum(unseen) / 13)


def test_the_mean_takes_an_image_as_one_observation() -> None:
    """The same answers under every corruption: 15 corruptions tell no more than one."""
    answers = torch.arange(100) % 4 > 0
    one, many = (mean_accuracy({str(k): answers for k in range(n)}) for n in (1, 15))
    assert one == many
    half = 1.959964 * float(answers.double().std()) / 10
    assert one["accuracy_interval_95"][0] == pytest.approx(0.75 - half)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "fashion_mnist"])
def test_images_without_digits_are_seeded(subject: Subject, kind: str) -> None:
    first, again = (images_without_digits(kind, subject) for _ in range(2))
    assert isinstance(first, torch.Tensor)
    assert isinstance(again, torch.Tensor)
    assert first.dtype == torch.uint8
    assert first.shape[1:] == (1, 28, 28)
    assert torch.equal(first, again)
    if kind != "blank":
        other = images_without_digits(kind, dataclasses.replace(subject, seed=1))
        assert not torch.equal(first, other)  # type: ignore[arg-type]
    found = confidences(subject.trained, first)
    expected = subject.trained.logits(first).double().softmax(dim=1).max(dim=1).values
    assert np.allclose(found, expected.numpy())


def test_letters_stand_as_digits_do(subject: Subject) -> None:
    letters = images_without_digits("letters", subject)
    assert isinstance(letters, torch.Tensor)
    ink = letters[:, 0] > 0
    assert bool(ink.flatten(1).any(dim=1).all())
    rows, columns = ink.any(dim=2).sum(dim=1), ink.any(dim=1).sum(dim=1)
    assert int(torch.maximum(rows, columns).max()) <= 20
    assert not bool(ink[:, :4].any() or ink[:, :, :4].any())


def test_tiles_keep_their_order() -> None:
    images = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1)
    shown = tile(images)
    assert shown[::7, ::7].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_parts_by_name() -> None:
    assert parse_parts(None) == PARTS
    assert parse_parts("shifts, clean,clean") == ("clean", "shifts")
    with pytest.raises(ConfigError, match=r"Did you mean shifts.*Allowed.*\nType") as told:
        parse_parts("clean,shfts")
    assert "--parts clean,shfts: shfts" in str(told.value)
    with pytest.raises(ConfigError, match="no part is named"):
        parse_parts(",")
    assert set(EFFORTS) == {"quick", "full"}
