"""Image transforms: pure functions with parameters per image."""

import pytest
import torch
from torch import nn

from mnist_trainer.data.transforms import CHUNK, CenterCrop, Normalize, RandomAffine, Transforms


def test_preprocess_scales_and_normalizes_out_of_place() -> None:
    images = torch.randint(0, 256, (4, 1, 28, 28), dtype=torch.uint8)
    copy = images.clone()
    prepared = Transforms((Normalize(0.1307, 0.3081),), ()).preprocess(images)
    assert torch.allclose(prepared, (copy.double() / 255 - 0.1307).div(0.3081).float(), atol=1e-6)
    assert torch.equal(images, copy)


def affine(
    degrees: float = 0.0,
    translate: float = 0.0,
    scale: tuple[float, float] = (1, 1),
    shear: float = 0.0,
) -> RandomAffine:
    return RandomAffine(degrees, translate, scale, shear)


def test_identity_affine_map_changes_nothing() -> None:
    images = torch.rand(5, 1, 28, 28)
    assert torch.allclose(affine()(images, torch.rand(5, 5)), images, atol=1e-5)


def test_shift_by_whole_pixels_is_exact() -> None:
    images = torch.zeros(1, 1, 28, 28)
    images[0, 0, 10, 12] = 1
    draws = torch.tensor([[0.5, 0.5, 0.5, 1.0, 0.5]])  # the largest shift along x, none along y
    moved = affine(translate=3.0)(images, draws)
    assert torch.allclose(moved, images.roll(-3, dims=3), atol=1e-4)


def test_rotation_by_90_degrees_is_exact() -> None:
    images = torch.rand(1, 1, 28, 28)
    images -= images.min()
    turned = affine(degrees=90.0)(images, torch.tensor([[1.0, 0.5, 0.5, 0.5, 0.5]]))
    assert torch.allclose(turned, images.rot90(1, (2, 3)), atol=1e-3) or torch.allclose(
        turned, images.rot90(-1, (2, 3)), atol=1e-3
    )


def test_pixels_from_outside_are_background() -> None:
    images = Normalize(0.1307, 0.3081)(torch.zeros(1, 1, 28, 28))
    images[0, 0, 14, 14] = 3
    moved = affine(translate=4.0)(images, torch.ones(1, 5))
    assert moved.min() == pytest.approx(-0.1307 / 0.3081, abs=1e-4)


def test_each_image_has_its_own_random_params() -> None:
    image = torch.rand(1, 1, 28, 28)
    transform = affine(degrees=20.0, translate=2.0, scale=(0.9, 1.1), shear=5.0)
    draws = torch.rand(8, 5)
    together = transform(image.expand(8, -1, -1, -1), draws)
    apart = torch.cat([transform(image, draws[k : k + 1]) for k in range(8)])
    assert torch.allclose(together, apart, atol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=1e-2)


def test_random_params_are_split_in_order() -> None:
    first, second = affine(degrees=10.0), affine(translate=2.0)
    both = Transforms((), (first, second))
    images, draws = torch.rand(3, 1, 28, 28), torch.rand(3, 10)
    assert both.num_random_params == 10
    assert torch.equal(
        both.augment(images, draws), second(first(images, draws[:, :5]), draws[:, 5:])
    )


def test_crop_is_the_center() -> None:
    images = torch.rand(2, 1, 28, 28)
    assert torch.equal(CenterCrop(24)(images), images[..., 2:26, 2:26])


def make_transforms(recipe: str | None, *fixed: nn.Module) -> Transforms:
    return Transforms(fixed, (), recipe)


def test_preprocessed_images_are_cached() -> None:
    images = torch.randint(0, 256, (5, 1, 28, 28), dtype=torch.uint8)
    first = make_transforms("a", Normalize(0.1, 0.3)).preprocess_cached(images)
    assert torch.equal(first, Transforms((Normalize(0.1, 0.3),), ()).preprocess(images))
    assert make_transforms("a", Normalize(0.1, 0.3)).preprocess_cached(images) is first
    other = make_transforms("b", Normalize(0.2, 0.3)).preprocess_cached(images)
    assert not torch.equal(other, first)
    # A layer that works in place spoils what it is given: the next run gets the images that it
    # would have had alone.
    before = other.clone()
    with torch.inference_mode():
        other[2:4].relu_()
    assert not torch.equal(other, before)
    assert torch.equal(make_transforms("b", Normalize(0.2, 0.3)).preprocess_cached(images), before)


def test_random_or_unknown_transforms_are_not_cached() -> None:
    class Noise(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images + torch.rand(1)

    images = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)
    torch.manual_seed(0)
    first = make_transforms("noise", Noise()).preprocess_cached(images)
    state = torch.get_rng_state()
    torch.manual_seed(0)
    assert torch.equal(make_transforms("noise", Noise()).preprocess_cached(images), first)
    assert torch.equal(torch.get_rng_state(), state)
    assert make_transforms(None).preprocess_cached(images) is not make_transforms(
        None
    ).preprocess_cached(images)


@pytest.mark.parametrize("number", [0, 1, CHUNK, 2 * CHUNK + 1])
def test_images_in_chunks_are_preprocessed_as_the_whole(number: int) -> None:
    images = torch.randint(0, 256, (number, 1, 28, 28), dtype=torch.uint8)
    transforms = Transforms((CenterCrop(24), Normalize(0.1307, 0.3081)), ())
    whole = transforms.apply_fixed(images.to(torch.float32).div_(255))
    assert torch.equal(transforms.preprocess(images), whole)
