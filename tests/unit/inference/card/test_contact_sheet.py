"""The contact sheet shows each corruption at each strength."""

import numpy as np

from mnist_trainer.data.corruptions.apply import CORRUPTIONS, PUBLISHED_STRENGTH, corrupt
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.inference.card.contact_sheet import (
    ENLARGED,
    FRAME,
    GAP,
    HEADING,
    NAMES,
    draw_sheet,
)

CELL = 28 * ENLARGED + GAP


def test_each_cell_is_the_corrupted_image_and_the_published_ones_are_framed(
    some_images: LabelledImages,
) -> None:
    images = some_images.images[:4]
    sheet = np.array(draw_sheet(images, seed=2))
    for row, name in enumerate(CORRUPTIONS):
        index, top = row % 4, HEADING + row * CELL
        for column in range(6):
            left = NAMES + column * CELL
            cell = sheet[
                top : top + 28 * ENLARGED : ENLARGED, left : left + 28 * ENLARGED : ENLARGED
            ]
            image = images[index : index + 1]
            if column:
                image = corrupt(image, name, column, seed=2, first=index)
            assert np.array_equal(cell[..., 0], image[0, 0].numpy())
            framed = tuple(sheet[top + 10, left - 2].tolist()) == FRAME
            assert framed == (column == PUBLISHED_STRENGTH[name])
