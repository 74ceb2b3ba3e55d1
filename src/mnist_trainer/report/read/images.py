"""The test images themselves, where they are at hand: for the pictures of what went wrong."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.errors import DataError, UserError
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.runs.predictions import Predictions
from mnist_trainer.system.files import data_cache_folder


def images_of(run: RunRecord, predictions: Predictions) -> tuple[NDArray[np.uint8] | None, str]:
    """Images (N, H, W) in the order of the predictions, or None and why not. Nothing is downloaded."""
    name = str(run.config.get("data.name", "mnist"))
    try:
        images, labels = (
            _embedded() if name == "mnist" else _published(name, run.config.get("data.root"))
        )
    except (UserError, OSError) as error:
        return (
            None,
            (
                "The pictures are left out, because the data set is not at hand:"
                f" {str(error).splitlines()[0]}"
            ),
        )
    count = len(predictions)
    if count > len(labels) or not np.array_equal(labels[:count], predictions.truth):
        return (
            None,
            "The pictures are left out: the labels of the data set here are not those of the run.",
        )
    return images[:count], ""


def _embedded() -> tuple[Any, Any]:
    """MNIST's test images from inside the package, whatever folder the run has read them from."""
    from mnist_trainer.data.embedded import embedded_file
    from mnist_trainer.data.idx import parse_idx

    parts = [
        parse_idx(embedded_file(part), part)
        for part in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    ]
    return parts[0].numpy(), parts[1].numpy()


def _published(name: str, root: object) -> tuple[Any, Any]:
    from mnist_trainer.data.published import PUBLISHED, load_published

    if name not in PUBLISHED:
        raise DataError(f"{name} is not a data set of this version.")
    folder = PUBLISHED[name]().folder
    place = Path(root).expanduser() if isinstance(root, str) else data_cache_folder()
    if not (place / folder / "raw").is_dir():
        raise DataError(f"there is no folder {place / folder / 'raw'}.")
    test = load_published(name, place, download=False, mirror=None).test
    return test.images[:, 0].numpy(), test.labels.numpy()
