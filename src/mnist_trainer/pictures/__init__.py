"""From people's own pictures to what a network was trained on: digits of 28x28 bytes, placed as MNIST places them."""

from mnist_trainer.pictures.digits import FoundDigit, find_digit, find_digits
from mnist_trainer.pictures.opening import Picture, PictureError, open_picture

__all__ = ["FoundDigit", "Picture", "PictureError", "find_digit", "find_digits", "open_picture"]
