"""The confusion matrix and the worst mistakes as images."""

import numpy as np

from mnist_trainer.runs.predictions import Predictions
from mnist_trainer.training.tracking.pictures import RIGHT, draw_confusion, draw_mistakes

NAMES = ("cat", "dog")


def predictions(predicted: list[int]) -> Predictions:
    size = len(predicted)
    truth = np.zeros(size, np.uint16)
    return Predictions(np.array(predicted, np.uint16), np.ones(size, np.float32), truth, NAMES)


def test_every_mistake_is_a_tile_with_its_image() -> None:
    images = np.stack([np.full((28, 28), value, np.float32) for value in (-1.0, 1.0)])
    drawn = draw_mistakes(images, predictions([0, 1, 1]))
    assert drawn is not None
    left, right = drawn[6:90, 6:90], drawn[6:90, 102:186]
    assert left.max() == 0
    assert right.min() == 255


def test_without_mistakes_there_is_no_image_of_them() -> None:
    assert draw_mistakes(np.zeros((0, 28, 28), np.float32), predictions([0, 0])) is None


def test_the_matrix_is_shaded_where_images_are() -> None:
    drawn = draw_confusion(predictions([0, 0, 0]))
    shade = tuple(round(255 + 0.55 * (part - 255)) for part in RIGHT)
    is_shaded = (drawn == shade).all(axis=2)
    assert is_shaded.any()
    rows, columns = np.nonzero(is_shaded)
    assert np.ptp(rows) == np.ptp(columns), "one square cell: all other counts are 0"
