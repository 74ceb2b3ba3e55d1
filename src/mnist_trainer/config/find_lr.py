"""Settings of ``mnist-train --find-lr``: defaults in ``configs/find_lr.yaml``, words ``find_lr.*``.

They are no part of a run's configuration, so that neither its hash nor its files know of them. No
torch here: a mistake is answered before it is imported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from mnist_trainer.config.checking import Checked, annotations_of, check_value
from mnist_trainer.config.ranges import POSITIVE, Range
from mnist_trainer.config.shipped import config_dir
from mnist_trainer.errors import ConfigError
from mnist_trainer.system.messages import unknown_key

PREFIX = "find_lr."
MIN_STEPS = 8
"""Updates below which a short run has nothing to be judged by."""


@dataclass(frozen=True)
class FindLrSettings(Checked):
    """What is tried, and what the named rates mean."""

    lowest: Annotated[float, POSITIVE]
    highest: Annotated[float, POSITIVE]
    per_decade: Annotated[int, Range(low=1, most=100)]
    decades_below: Annotated[float, Range(low=0, most=20)]
    decades_above: Annotated[float, Range(low=0, most=20)]
    seeds: Annotated[int, Range(low=2, most=1000)]
    steps: Annotated[int, Range(low=MIN_STEPS, most=1e6)]
    judged_part: Annotated[float, Range(low=0, high=1, low_open=True)]
    stable_part: Annotated[float, Range(low=0, high=1, low_open=True)]
    divisor: Annotated[float, Range(low=1, most=1e6)]
    resamples: Annotated[int, Range(low=100, most=1e6)]

    @property
    def num_judged(self) -> int:
        """Updates at the end of a short run whose mean loss it is judged by."""
        return max(1, round(self.judged_part * self.steps))


def read_find_lr(words: Sequence[str]) -> FindLrSettings:
    """The settings that words ``find_lr.key=value`` lead to.

    Raises:
        ConfigError: names every key that is unknown, of the wrong type or out of range.
    """
    defaults = _defaults()
    values = dict(defaults)
    annotations, problems = annotations_of(FindLrSettings), []
    typed = [word.partition("=")[::2] for word in words]
    for key, text in typed:
        name = key.removeprefix(PREFIX)
        if name not in annotations:
            problems.append(unknown_key(key, annotations))
            continue
        values[name], problem = check_value(annotations[name], _plain(text))
        if problem:
            problems.append(f"{key}={text}: {problem}, such as {key}={defaults[name]}")
    if not problems and values["lowest"] >= values["highest"]:
        problems.append(
            f"find_lr.lowest={values['lowest']:g}: must be below find_lr.highest="
            f"{values['highest']:g}, such as find_lr.lowest=1e-6 find_lr.highest=10"
        )
    if problems:
        raise ConfigError("\n".join(problems))
    return FindLrSettings(**values)


def _plain(text: str) -> object:
    """The value of a word, as YAML reads it; a text where it cannot."""
    try:
        read: Any = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]))
    except (OmegaConfBaseException, YAMLError, ValueError):
        return text
    return read["value"]


def _defaults() -> dict[str, Any]:
    plain: Any = OmegaConf.to_container(OmegaConf.load(config_dir() / "find_lr.yaml"))
    return dict(plain)
