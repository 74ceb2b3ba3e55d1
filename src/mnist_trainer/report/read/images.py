"""The test images of a run, for pictures of its mistakes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.errors import DataError, UserError
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.runs.predictions import Predictions
from mnist_trainer.system.files import data_cache_folder
from mnist_trainer.system.paths import user_path


def images_of(run: RunRecord, predictions: Predictions) -> tuple[NDArray[np.uint8] | None, str]:
    """Load the test images from this machine; nothing is downloaded.

    Returns:
        Images (N, H, W) in the order of the predictions, or None and the reason.
    """
    try:
        images, labels = _load(str(run.config.get("data.name", "mnist")), run.config)
    except (UserError, OSError) as error:
        reason = str(error).splitlines()[0]
        return None, f"The pictures are left out, because the data set is not at hand: {reason}"
    count = len(predictions)
    if count > len(labels) or not np.array_equal(labels[:count], predictions.truth):
        reason = "the labels of the data set here are not those of the run."
        return None, f"The pictures are left out: {reason}"
    return images[:count], ""


def _load(name: str, config: Mapping[str, Any]) -> tuple[Any, Any]:
    from mnist_trainer.data.embedded import embedded_file
    from mnist_trainer.data.idx import parse_idx
    from mnist_trainer.data.published import PUBLISHED, load_published

    if name == "mnist":
        files = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
        images, labels = (parse_idx(embedded_file(file), file).numpy() for file in files)
        return images, labels
    if name not in PUBLISHED:
        raise DataError(f"{name} is not a data set of this version.")
    root = config.get("data.root") or data_cache_folder()
    place = user_path(str(root), f"data.root={root}")
    raw = place / PUBLISHED[name]().folder / "raw"
    if not raw.is_dir():
        raise DataError(f"there is no folder {raw}.")
    test = load_published(name, place, download=False, mirror=None).test
    return test.images[:, 0].numpy(), test.labels.numpy()
