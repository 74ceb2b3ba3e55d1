"""The test images of a run, for pictures of its mistakes."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.errors import DataError, UserError
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.runs.predictions import Predictions


def images_of(run: RunRecord, predictions: Predictions) -> tuple[NDArray[np.uint8] | None, str]:
    """Load the test images from this machine; nothing is downloaded.

    Returns:
        Images (N, H, W) in the order of the predictions, or None and the reason.
    """
    name = str(run.config.get("data.name", "mnist"))
    try:
        is_embedded = name == "mnist"
        images, labels = (
            _embedded() if is_embedded else _published(name, run.config.get("data.root"))
        )
    except (UserError, OSError) as error:
        reason = str(error).splitlines()[0]
        return None, f"The pictures are left out, because the data set is not at hand: {reason}"
    count = len(predictions)
    if count > len(labels) or not np.array_equal(labels[:count], predictions.truth):
        reason = "the labels of the data set here are not those of the run."
        return None, f"The pictures are left out: {reason}"
    return images[:count], ""


def _embedded() -> tuple[Any, Any]:
    """Test images and labels of MNIST, from inside the package."""
    from mnist_trainer.data.embedded import embedded_file
    from mnist_trainer.data.idx import parse_idx

    parts = [
        parse_idx(embedded_file(part), part)
        for part in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    ]
    return parts[0].numpy(), parts[1].numpy()


def _published(name: str, root: object) -> tuple[Any, Any]:
    from platformdirs import user_cache_path

    from mnist_trainer.data.published import PUBLISHED, load_published

    if name not in PUBLISHED:
        raise DataError(f"{name} is not a data set of this version.")
    folder = PUBLISHED[name]().folder
    cache = user_cache_path("mnist-trainer", appauthor=False)
    place = Path(root).expanduser() if isinstance(root, str) else cache
    if not (place / folder / "raw").is_dir():
        raise DataError(f"there is no folder {place / folder / 'raw'}.")
    test = load_published(name, place, download=False, mirror=None).test
    return test.images[:, 0].numpy(), test.labels.numpy()
