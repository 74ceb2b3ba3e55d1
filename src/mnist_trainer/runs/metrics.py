"""Loss and accuracy, and the confidence interval of the accuracy. No torch here."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Metrics:
    """Loss and accuracy over a set of images."""

    loss: float
    """Mean over the images."""
    correct: int
    count: int

    @property
    def accuracy(self) -> float:
        """Share of the images, 0 to 1."""
        return self.correct / self.count

    def as_dict(self) -> dict[str, float]:
        return {"loss": self.loss, "accuracy": self.accuracy}


def wilson_interval(correct: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """Confidence interval of a proportion (Wilson 1927), as two shares; 95 % for the default z."""
    share = correct / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = (
        z
        / (1 + z * z / count)
        * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    )
    return max(0.0, centre - half), min(1.0, centre + half)
