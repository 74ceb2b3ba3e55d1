"""The parts of an evaluation card, and how many images each looks at; no torch here."""

from dataclasses import dataclass

from mnist_trainer.errors import ConfigError
from mnist_trainer.system.messages import nearest

PARTS = ("clean", "qmnist", "corruptions", "attacks", "unknown", "calibration", "shifts")


@dataclass(frozen=True)
class Effort:
    """How many images are looked at, and how hard they are attacked."""

    name: str
    corrupted: int
    """Test images for each corruption at each strength."""
    attacked: int
    epsilons: tuple[float, ...]
    """Largest changes of a pixel, 0 to 1."""
    steps: int
    """Of PGD."""
    restarts: int
    unknown: int
    """Images of each kind that show no digit."""
    shifted: int
    """Test images for each shift and each rotation."""
    resamples: int
    """Of the bootstrap."""


EFFORTS = {
    "quick": Effort("quick", 1_000, 200, (0.0, 0.1, 0.2, 0.3), 20, 1, 1_000, 500, 500),
    "full": Effort(
        "full", 10_000, 1_000, (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3), 50, 10, 10_000, 5_000, 2_000
    ),
}


def parse_parts(text: str | None) -> tuple[str, ...]:
    """The parts that a list with commas names, in the order of the card; None is all.

    Raises:
        ConfigError: there is no such part, or none is named.
    """
    if text is None:
        return PARTS
    asked = [word.strip() for word in text.split(",") if word.strip()]
    allowed = f"Allowed, with commas between them: {', '.join(PARTS)}."
    for word in asked:
        if word not in PARTS:
            raise ConfigError(
                f"--parts {text}: {word} is no part of a card.{nearest(word, PARTS)} {allowed}"
                "\nType: --card --parts clean,shifts"
            )
    if not asked:
        raise ConfigError(
            f"--parts {text!r}: no part is named. {allowed}\nType: --parts clean,shifts"
        )
    return tuple(part for part in PARTS if part in asked)
