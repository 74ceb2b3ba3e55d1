"""Transforms that imitate photographs: pure functions, each image with its own parameters."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_trainer.data.corruptions.filters import symmetric_filter
from mnist_trainer.data.degradations import (
    BINOMIAL,
    RandomFocus,
    RandomLines,
    RandomPaper,
    RandomStrokes,
    of_neighbours,
    spread,
)
from mnist_trainer.data.transforms import count_random_params


def lines(erased: float = 0.0, probability: float = 1.0) -> RandomLines:
    return RandomLines(1, probability, erased, (1, 1), (100, 100), 10)


EACH = {
    "strokes": RandomStrokes(0.6, 0.9),
    "lines": RandomLines(2, 0.7, 0.4, (0.5, 3), (4, 36), 10),
    "paper": RandomPaper(0.5, 0.6),
    "focus": RandomFocus(0.8, 1.6),
}
NEUTRAL = {
    "strokes": RandomStrokes(0, 0),
    "lines": lines(probability=0.0),
    "paper": RandomPaper(0, 0),
    "focus": RandomFocus(0, 1),
}


def draws(transform: nn.Module, count: int) -> Tensor:
    return torch.rand(count, count_random_params(transform), generator=seeded())


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("transform", NEUTRAL.values(), ids=NEUTRAL.keys())
def test_with_nothing_to_do_images_stay(transform: nn.Module) -> None:
    images = torch.rand(5, 1, 28, 28, generator=seeded())
    assert torch.allclose(transform(images, draws(transform, 5)), images, atol=2e-6)


@pytest.mark.parametrize("transform", EACH.values(), ids=EACH.keys())
def test_each_image_has_its_own_random_params(transform: nn.Module) -> None:
    images = torch.rand(6, 1, 28, 28, generator=seeded())
    copy, params = images.clone(), draws(transform, 6)
    together = transform(images, params)
    apart = torch.cat([transform(images[k : k + 1], params[k : k + 1]) for k in range(6)])
    assert together.shape == images.shape
    assert torch.allclose(together, apart, atol=1e-6)
    assert not torch.allclose(together, images, atol=1e-2)
    assert torch.equal(images, copy)


@pytest.mark.parametrize("transform", EACH.values(), ids=EACH.keys())
def test_normalized_images_are_treated_as_those_of_0_to_1(transform: nn.Module) -> None:
    images = torch.rand(6, 1, 28, 28, generator=seeded())
    params = draws(transform, 6)
    expected = 3.2 * transform(images, params) - 0.4
    assert torch.allclose(transform(3.2 * images - 0.4, params), expected, atol=1e-4)


def test_whole_planes_give_what_the_operators_of_pytorch_give() -> None:
    images = torch.rand(4, 1, 28, 20, generator=seeded()) - 0.3
    largest = F.max_pool2d(images, 3, stride=1, padding=1)
    smallest = -F.max_pool2d(-images, 3, stride=1, padding=1)
    assert torch.equal(of_neighbours(torch.maximum, images), largest)
    assert torch.equal(of_neighbours(torch.minimum, images), smallest)
    row = torch.tensor([1.0, 4, 6, 4, 1]) / 16
    binomial = F.conv2d(images, torch.outer(row, row)[None, None], padding=2)
    smooth = symmetric_filter(images[:, 0], BINOMIAL, "constant")[:, None]
    assert torch.allclose(smooth, binomial, atol=1e-6)
    grid = torch.rand(4, 1, 10, 6, generator=seeded())
    expected = F.interpolate(grid, size=[28, 20], mode="bilinear", align_corners=False)
    assert torch.allclose(spread(grid, images), expected, atol=1e-5)


def test_strokes_are_widened_and_narrowed_by_a_pixel_at_most() -> None:
    image = torch.zeros(1, 1, 9, 9)
    image[..., 3:6, 3:6] = 1
    wide = torch.zeros(1, 1, 9, 9)
    wide[..., 2:7, 2:7] = 1
    narrow = torch.zeros(1, 1, 9, 9)
    narrow[..., 4, 4] = 1
    both = RandomStrokes(1, 1)
    assert torch.allclose(both(image, torch.ones(1, 1)), wide)
    assert torch.allclose(both(image, torch.zeros(1, 1)), narrow)
    assert torch.allclose(both(image, torch.full((1, 1), 0.5)), image)
    assert torch.allclose(both(image, torch.full((1, 1), 0.75)), (image + wide) / 2)


# There is a line, level or upright, of full strength: the middle of row 20 from the top.
LEVEL = torch.tensor([[0.5, 0.25, 20.5 / 28, 0.5, 0.5, 0.5, 1.0]])
UPRIGHT = torch.tensor([[0.5, 0.75, 20.5 / 28, 0.5, 0.5, 0.5, 1.0]])


def test_a_line_of_one_pixel_fills_one_row_or_one_column() -> None:
    image = torch.zeros(1, 1, 28, 28)
    image[..., 0, 0] = 1  # Full ink: the scale that strength refers to.
    level, upright = lines()(image, LEVEL) - image, lines()(image, UPRIGHT) - image
    row = torch.zeros(28, 28)
    row[20] = 1
    assert torch.allclose(level[0, 0], row, atol=1e-4)
    column = torch.zeros(28, 28)
    column[:, 28 - 1 - 20] = 1
    column[0, 0] = 0
    assert torch.allclose(upright[0, 0], column, atol=1e-4)


def test_a_line_that_erases_leaves_paper() -> None:
    image = torch.ones(1, 1, 28, 28)
    image[..., 0, 0] = 0
    erased = lines(erased=1.0)(image, LEVEL)
    assert torch.allclose(erased[0, 0, 20], torch.zeros(28), atol=1e-4)
    assert torch.equal(erased[0, 0, 22:], image[0, 0, 22:])


def test_blur_keeps_the_ink_and_spreads_it() -> None:
    image = torch.zeros(1, 1, 28, 28)
    image[..., 14, 14] = 1
    smooth = RandomFocus(1, 1)(image, torch.ones(1, 2))
    assert float(smooth.sum()) == pytest.approx(1, abs=2e-3)
    assert float(smooth[0, 0, 14, 14]) == pytest.approx((6 / 16) ** 2, abs=1e-4)


def test_specks_never_cover_ink_and_fading_never_adds_any() -> None:
    images = (torch.rand(20, 1, 28, 28, generator=seeded()) > 0.8).float()
    specks, faded = RandomPaper(0.5, 0), RandomPaper(0, 0.5)
    assert bool((specks(images, draws(specks, 20)) >= images - 1e-6).all())
    assert bool((faded(images, draws(faded, 20)) <= images + 1e-6).all())
