"""Properties of all corruptions: seeded by image, of the published strength, rising."""

import itertools
from pathlib import Path

import pytest
import torch

from mnist_trainer.config.ranges import CORRUPTION_NAMES
from mnist_trainer.data.corruptions.apply import (
    CORRUPTIONS,
    PUBLISHED_STRENGTH,
    STRENGTHS,
    corrupt,
)
from mnist_trainer.data.corruptions.kinds import KINDS
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.errors import ConfigError

# What the published data set was made with (Mu and Gilmer 2019, their code's default severities).
PUBLISHED = {
    "shot_noise": 3,
    "impulse_noise": 0.17,
    "glass_blur": (0.7, 1, 2),
    "motion_blur": (10, 3),
    "shear": 0.4,
    "scale": 0.7,
    "rotate": 0.4,
    "brightness": 0.5,
    "translate": 3,
    "stripe": 7,
    "fog": (3.0, 1.4),
    "spatter": 0.65,
    "dotted_line": 2.3,
    "zigzag": 2.3,
    "canny_edges": 1.0,
}


def test_the_fifteen_kinds_are_those_that_a_configuration_may_name() -> None:
    assert CORRUPTIONS == CORRUPTION_NAMES
    assert len(CORRUPTIONS) == 15


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_published_strength_has_the_published_parameters(name: str) -> None:
    assert KINDS[name].parameters[PUBLISHED_STRENGTH[name] - 1] == PUBLISHED[name]
    assert len(KINDS[name].parameters) == len(STRENGTHS)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_documentation_lists_the_parameters(name: str) -> None:
    page = Path(__file__).parents[4] / "docs" / "corruptions.md"
    (row,) = (
        line for line in page.read_text("utf-8").splitlines() if line.startswith(f"| `{name}`")
    )
    listed = [
        f"**{parameter}**" if strength == PUBLISHED_STRENGTH[name] else str(parameter)
        for strength, parameter in zip(STRENGTHS, KINDS[name].parameters, strict=True)
    ]
    assert row.endswith(f"| {', '.join(listed)} |")


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_batches_of_one_and_of_all_are_equal(name: str, some_images: LabelledImages) -> None:
    images = some_images.images[:600]
    copy = images.clone()
    whole = corrupt(images, name, 4, seed=3)
    assert torch.equal(images, copy)
    assert (whole.shape, whole.dtype) == (images.shape, torch.uint8)
    for index in (0, 1, 300, 511, 512, 599):
        alone = corrupt(images[index : index + 1], name, 4, seed=3, first=index)
        assert torch.equal(alone[0], whole[index])


WITHOUT_RANDOM_NUMBERS = ("scale", "brightness", "stripe", "canny_edges")


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_seeds_and_places_make_a_difference(name: str, some_images: LabelledImages) -> None:
    images = some_images.images[:50]
    once, other = (corrupt(images, name, 3, seed=seed) for seed in (0, 1))
    assert torch.equal(once, corrupt(images, name, 3, seed=0))
    assert torch.equal(once, other) == (name in WITHOUT_RANDOM_NUMBERS)
    moved = corrupt(images, name, 3, seed=0, first=50)
    assert torch.equal(once, moved) == (name in WITHOUT_RANDOM_NUMBERS)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_more_strength_changes_images_more(name: str, some_images: LabelledImages) -> None:
    images = some_images.images
    distances = [
        float((corrupt(images, name, strength, seed=0).float() - images.float()).abs().mean())
        for strength in STRENGTHS
    ]
    assert distances[0] > 1
    assert all(low < high for low, high in itertools.pairwise(distances))


@pytest.mark.parametrize(
    ("name", "strength", "said"),
    [
        ("frost", 1, "There are: shot_noise, impulse"),
        ("fog", 0, "from 1 to 5"),
        ("fog", 6, "1 to 5"),
    ],
)
def test_an_unknown_kind_or_strength_is_refused(name: str, strength: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        corrupt(torch.zeros(1, 1, 28, 28, dtype=torch.uint8), name, strength, seed=0)


def test_no_images_are_no_images() -> None:
    none = torch.zeros(0, 1, 28, 28, dtype=torch.uint8)
    assert all(corrupt(none, name, 1, seed=0).shape == none.shape for name in CORRUPTIONS)
