"""Filters equal SciPy's."""

import pytest
import torch
from scipy import ndimage

from mnist_trainer.data.corruptions.filters import gaussian_filter, neighbours


@pytest.mark.parametrize("sigma", [0.5, 0.7, 1.5, 4.0])
@pytest.mark.parametrize(("mode", "scipys"), [("replicate", "nearest"), ("constant", "constant")])
def test_gaussian_filter_is_scipys(sigma: float, mode: str, scipys: str) -> None:
    images = torch.rand(3, 28, 20, generator=torch.Generator().manual_seed(0))
    expected = ndimage.gaussian_filter(images.numpy(), (0, sigma, sigma), mode=scipys)
    assert torch.allclose(
        gaussian_filter(images, sigma, mode), torch.from_numpy(expected), atol=1e-6
    )


def test_neighbours_are_shifted_images() -> None:
    image = torch.arange(12.0).reshape(1, 3, 4)
    at = neighbours(image)
    assert torch.equal(at[0, 0], image)
    assert at[1, -1][0].tolist() == [[0, 4, 5, 6], [0, 8, 9, 10], [0, 0, 0, 0]]
