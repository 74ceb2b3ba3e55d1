"""A picture of all corruptions at all strengths."""

from PIL import Image, ImageDraw
from torch import Tensor

from mnist_trainer.data.corruptions.apply import (
    CORRUPTIONS,
    PUBLISHED_STRENGTH,
    STRENGTHS,
    corrupt,
)

ENLARGED = 3
"""Side of an image's pixel, in pixels of the sheet."""
GAP, HEADING, NAMES = 6, 18, 96
"""Space around images, above them, and to their left, in pixels."""
PAPER, INK, FRAME = (255, 255, 255), (0, 0, 0), (214, 39, 40)


def draw_sheet(images: Tensor, *, seed: int = 0) -> Image.Image:
    """Draw a row for each corruption: its clean image, then strengths 1 to 5; the published
    strength is framed.

    Args:
        images: uint8 (N, 1, H, W), shown in turn.
        seed: of the corruptions.
    """
    height, width = (ENLARGED * side for side in images.shape[-2:])
    columns = 1 + len(STRENGTHS)
    size = (NAMES + columns * (width + GAP), HEADING + len(CORRUPTIONS) * (height + GAP))
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    for column, title in enumerate(["clean", *map(str, STRENGTHS)]):
        pen.text((NAMES + column * (width + GAP), 2), title, INK)
    for row, name in enumerate(CORRUPTIONS):
        top = HEADING + row * (height + GAP)
        pen.text((4, top + height // 2 - 6), name, INK)
        index = row % len(images)
        clean = images[index : index + 1]
        for column in range(columns):
            shown = corrupt(clean, name, column, seed=seed, first=index) if column else clean
            left = NAMES + column * (width + GAP)
            if column == PUBLISHED_STRENGTH[name]:
                frame = (left - 3, top - 3, left + width + 2, top + height + 2)
                pen.rectangle(frame, outline=FRAME, width=2)
            picture = Image.fromarray(shown[0, 0].cpu().numpy())
            sheet.paste(picture.resize((width, height), Image.Resampling.NEAREST), (left, top))
    return sheet
