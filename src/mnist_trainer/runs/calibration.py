"""calibration.json: the temperature of a run's probabilities, and when its answers are unsure."""

import logging
import math
from dataclasses import asdict, dataclass

from mnist_trainer.errors import DataError
from mnist_trainer.runs.checksums import add_checksum
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.read import read_json
from mnist_trainer.system.files import write_json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Calibration:
    """How the probabilities of pictures are computed from logits."""

    temperature: float
    """Logits are divided by it before the softmax (Guo et al. 2017)."""
    unsure_below: float
    """An answer of a smaller probability is unsure."""
    pictures: int
    """How many it was fitted on; 0: it was not fitted."""
    weights_sha256: str
    """Of the weights that it was fitted with."""


UNSURE_BELOW = 0.5
"""Where a run was not calibrated: its most probable class is not more probable than all others."""


def uncalibrated(weights_sha256: str) -> Calibration:
    """Probabilities as the network gives them."""
    return Calibration(1.0, UNSURE_BELOW, 0, weights_sha256)


def write_calibration(folder: RunFolder, calibration: Calibration) -> None:
    """Keep a calibration in the folder of its run.

    Raises:
        MachineError: the file cannot be written.
    """
    write_json(folder.calibration, asdict(calibration))
    add_checksum(folder, folder.calibration.name)


def read_calibration(folder: RunFolder | None, weights_sha256: str) -> Calibration:
    """The calibration of these weights; the uncalibrated one where the folder has none of them. One
    that cannot be read is told, and not used."""
    fallback = uncalibrated(weights_sha256)
    if folder is None or not folder.calibration.exists():
        return fallback
    try:
        calibration = parse_calibration(read_json(folder.calibration))
    except DataError as error:
        log.warning("%s So probabilities are not calibrated.", error)
        return fallback
    if calibration is None:
        log.warning("%s: not a calibration, and not used.", folder.calibration)
        return fallback
    if calibration.weights_sha256 != weights_sha256:
        log.warning("%s: of other weights of this run, and not used.", folder.calibration)
        return fallback
    return calibration


def parse_calibration(content: object) -> Calibration | None:
    """The calibration that a JSON document holds; None where it holds none."""
    if not isinstance(content, dict) or content.keys() != Calibration.__dataclass_fields__.keys():
        return None
    numbers = (content["temperature"], content["unsure_below"])
    if not all(type(each) in (int, float) and math.isfinite(each) for each in numbers):
        return None
    temperature, unsure_below = numbers
    known = 0.01 <= temperature <= 100 and 0 <= unsure_below <= 1
    counted = type(content["pictures"]) is int and isinstance(content["weights_sha256"], str)
    return Calibration(**content) if known and counted else None
