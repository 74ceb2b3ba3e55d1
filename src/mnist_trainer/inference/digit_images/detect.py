"""Detect the digits of image files: one after the other, or of many files in several processes.

No torch here: the processes would import it for nothing.
"""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice

from mnist_trainer.inference.digit_images.boxes import DetectedDigit
from mnist_trainer.inference.digit_images.find_images import ImageSource
from mnist_trainer.inference.digit_images.prepare import WORKING_SIDE
from mnist_trainer.inference.digit_images.read_image import ImageError, SourceImage
from mnist_trainer.system.cores import usable_cores, use_one_thread
from mnist_trainer.system.signals import ignore_terminal

WORKING_SIDES = {"one": WORKING_SIDE, "many": 1280}
"""Longer side to which a larger image is downsampled, in pixels."""
MANY = 48
"""From so many files on several processes pay: to start them takes as long as some 30 files."""
BATCH = 64
"""Files that are handed out at once: of two batches at most the results are in memory."""
MAX_PROCESSES = 8


@dataclass(frozen=True)
class Detection:
    """The digits of one image file, or why there are none."""

    image: SourceImage | None
    digits: Sequence[DetectedDigit] = ()
    error: str | None = None


def detect(source: ImageSource, digits: str, *, other_things: bool) -> Detection:
    """Read an image and detect its digits; an unusable image is no exception.

    Args:
        digits: ``one`` or ``many``.
        other_things: as of ``find_digit``.
    """
    # Late: a mistake in the command line is answered before SciPy is imported.
    from mnist_trainer.inference.digit_images.segment import find_digit, find_digits

    try:
        image = source.read(WORKING_SIDES[digits])
        if digits == "many":
            return Detection(image, find_digits(image.pixels))
        return Detection(image, [find_digit(image.pixels, other_things=other_things)])
    except ImageError as error:
        return Detection(None, error=str(error))


@contextmanager
def detection_pool(sources: Sequence[ImageSource]) -> Iterator[ProcessPoolExecutor | None]:
    """Processes for ``detect_all``, which start at once, so that they do while the network is
    loaded; None where they do not pay."""
    processes = min(usable_cores(), MAX_PROCESSES)
    # Standard input belongs to this process.
    if len(sources) < MANY or processes < 2 or any(source.file is None for source in sources):
        yield None
        return
    # Not by fork: this process may have the threads of PyTorch.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=prepare_process)
    try:
        for _ in range(processes):
            pool.submit(int)
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def prepare_process() -> None:
    """Leave Ctrl+C to the first process, and import what ``detect`` will need."""
    ignore_terminal()
    import mnist_trainer.inference.digit_images.segment  # noqa: F401

    use_one_thread()


def detect_all(
    sources: Sequence[ImageSource],
    digits: str,
    pool: ProcessPoolExecutor | None,
    *,
    other_things: bool,
) -> Iterator[Detection]:
    """Detect the digits of each image, in the order of the sources."""
    one = partial(detect, digits=digits, other_things=other_things)
    if pool is None:
        yield from map(one, sources)
        return
    waiting = iter(sources)
    batches = iter(lambda: list(islice(waiting, BATCH)), [])
    submitted = (pool.map(one, batch, chunksize=4) for batch in batches)
    following = next(submitted, None)
    while following is not None:
        # The next batch is under way while the results of this one are used.
        current, following = following, next(submitted, None)
        yield from current
