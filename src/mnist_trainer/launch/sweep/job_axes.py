"""What the jobs of a sweep are made of: the words that were typed, and the blocks of a sweep file.

No torch here: a mistake is answered before it is imported.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.errors import ConfigError, RefusedError
from mnist_trainer.launch.composed import read_composed
from mnist_trainer.launch.hydra.launchers import BASIC_SWEEPER, require_extras
from mnist_trainer.launch.hydra.loader import CheckedConfigLoader
from mnist_trainer.launch.overrides import Axis, axes_of, check_groups, parse_overrides
from mnist_trainer.launch.paired import is_paired
from mnist_trainer.launch.sweep.sweep_file import KEY, Block, SweepFile, read_sweep_file

MAX_TRIED = 6
"""Combinations of a block that are tried before the first mistake is reported."""
# What one of several processes leaves to the main one: to write the log and Hydra's files.
SECONDARY_OVERRIDES = ("hydra.output_subdir=null", "hydra/job_logging=errors_only")
WRITTEN_BY_MAIN = ("hydra.output_subdir=", "hydra/job_logging=", "hydra.job_logging")


@dataclass(frozen=True)
class SweepJobs:
    """The axes of a command line, and of its sweep file; a single run has a row of each."""

    words: tuple[str, ...]
    """As typed, but for the sweep file."""
    axes: tuple[Axis, ...]
    """Of each word."""
    file: SweepFile | None

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks of the file; without one, a block without axes of its own."""
        return self.file.blocks if self.file else (Block("", ()),)

    @property
    def paired(self) -> list[str]:
        """Words that set several keys at once."""
        return [word for word in self.words if is_paired(word)]

    @property
    def task_words(self) -> list[str]:
        """The words without Hydra's own, which no job has."""
        return [word for word in self.words if not _is_hydras(word)]

    @property
    def task_axes(self) -> list[Axis]:
        """The axes of ``task_words``."""
        pairs = zip(self.words, self.axes, strict=True)
        return [axis for word, axis in pairs if not _is_hydras(word)]

    def without(self, key: str) -> "SweepJobs":
        """The jobs with a setting left out of the words; jobs that are alike then are one."""
        pairs = [
            (word, axis.without({key})) for word, axis in zip(self.words, self.axes, strict=True)
        ]
        kept = [(word, axis) for word, axis in pairs if axis.keys]
        return SweepJobs(tuple(w for w, _ in kept), tuple(a for _, a in kept), self.file)

    @property
    def fixed(self) -> dict[str, str]:
        """Settings that are the same in every job, with the word that sets each."""
        blocks = [
            {axis.keys[0]: axis.rows[0][0] for axis in (*block.axes, *self.axes) if _is_fixed(axis)}
            for block in self.blocks
        ]
        first, *others = blocks
        return {
            key: word
            for key, word in first.items()
            if all(other.get(key) == word for other in others)
        }

    @property
    def swept_keys(self) -> set[str]:
        """Settings in which jobs may differ."""
        axes = (axis for block in self.blocks for axis in (*block.axes, *self.axes))
        return {key for axis in axes for key in axis.keys} - self.fixed.keys()

    def combinations(self, block: Block) -> Iterator[tuple[Axis, ...]]:
        """Axes of a block to find a possible job in: one set for each choice of keys in a row."""
        axes = (*block.axes, *self.axes)
        yield axes
        for place, axis in enumerate(axes):
            by_keys = {frozenset(word.partition("=")[0] for word in r): r for r in axis.rows[::-1]}
            for row in by_keys.values() if len(by_keys) > 1 else ():
                yield (*axes[:place], Axis((row,), True), *axes[place + 1 :])


def _is_hydras(word: str) -> bool:
    return word.lstrip("+~").startswith("hydra")


def _is_fixed(axis: Axis) -> bool:
    return not axis.is_swept and len(axis.rows) == 1


def gather_jobs(words: Sequence[str], typed: Sequence[Override], loader: ConfigLoader) -> SweepJobs:
    """Read the axes of what was typed, and of the sweep file that it names.

    Args:
        words: all words, those of a resumed run first.
        typed: the words that set one key each, parsed.

    Raises:
        ConfigError: names what is wrong in the words, or everything that is wrong in the file.
    """
    named: Any = next((o.value() for o in reversed(typed) if o.key_or_group == KEY), None)
    words = [word for word in words if word.partition("=")[0] != KEY]
    axes = axes_of(words, loader)
    paired = [pair for pair in zip(words, axes, strict=True) if is_paired(pair[0])]
    _check_set_once(paired, axes)
    _check_choices([axis for _, axis in paired], loader)
    if named is None:
        return SweepJobs(tuple(words), tuple(axes), None)
    if not isinstance(named, str):
        raise ConfigError(f"{KEY}={named}: must be the path of one file, such as {KEY}=study.yaml")
    file = read_sweep_file(named, loader)
    _check_choices([axis for block in file.blocks for axis in block.axes], loader)
    return SweepJobs(tuple(words), tuple(axes), file.without({k for a in axes for k in a.keys}))


def _check_set_once(paired: Sequence[tuple[str, Axis]], axes: Sequence[Axis]) -> None:
    """Raise ``ConfigError`` for a setting of a paired word that another word sets, too."""
    keys = [key for axis in axes for key in axis.keys]
    for word, axis in paired:
        if twice := next((key for key in axis.keys if keys.count(key) > 1), None):
            raise ConfigError(f"{word}: {twice} is set by another word, too. Set it once.")


def _check_choices(axes: Sequence[Axis], loader: ConfigLoader) -> None:
    """Raise ``ConfigError`` for choices that their groups do not offer."""
    words = dict.fromkeys(word for axis in axes for row in axis.rows for word in row)
    check_groups(parse_overrides(list(words)), loader)


def first_valid_config(
    loader: CheckedConfigLoader, jobs: SweepJobs, added: Sequence[str]
) -> tuple[DictConfig, RunConfig]:
    """Compose the run; of a sweep, for each block a combination of its values that is possible.

    A sweep goes on past jobs that are impossible, and records them. If of the first combinations
    of a block none is possible, the mistake is taken to be in all of them.

    Returns:
        The first configuration that is possible.

    Raises:
        ConfigError: what is wrong with the first one.
        MachineError: the launcher or the sweeper is not installed.
    """
    found: list[tuple[DictConfig, RunConfig]] = []
    for block in jobs.blocks:
        try:
            found += [_first_valid(loader, axes, added) for axes in jobs.combinations(block)]
        except RefusedError:
            raise
        except ConfigError as error:
            if jobs.file is None:
                raise
            raise ConfigError(f"{KEY}={jobs.file.path}: {block.name}: {error}") from error
    return found[0]


def _first_valid(
    loader: CheckedConfigLoader, axes: Sequence[Axis], added: Sequence[str]
) -> tuple[DictConfig, RunConfig]:
    problem: ConfigError | None = None
    for index in range(min(MAX_TRIED, max((len(axis.rows) for axis in axes), default=1))):
        words = [word for axis in axes for word in axis.rows[index % len(axis.rows)]]
        if added:
            words = [*(word for word in words if not word.startswith(WRITTEN_BY_MAIN)), *added]
        try:
            composed = loader.compose(words)
            require_extras(composed.hydra)
            return composed, read_composed(composed)
        except RefusedError:
            raise
        except ConfigError as error:
            problem = problem or error
    raise problem or ConfigError("Nothing is left to run: a swept setting has no values.")


def check_sweeper(
    sweeper: str, config: RunConfig, overrides: Sequence[Override], jobs: SweepJobs
) -> None:
    """Raise ``ConfigError`` where the sweeper cannot do what is asked of it."""
    if sweeper != BASIC_SWEEPER:
        _check_search(config, jobs)
        return
    for override in overrides:
        if override.is_sweep_override() and not override.is_discrete_sweep():
            raise ConfigError(
                f"{override.input_line}: an interval needs a sweeper that draws from it, such as"
                " hydra/sweeper=optuna; or name the values:"
                f" {override.key_or_group}=0.01,0.1"
            )


def _check_search(config: RunConfig, jobs: SweepJobs) -> None:
    """Raise ``ConfigError`` where a sweeper that chooses as it goes cannot do so."""
    if not config.data.holds_out:
        raise ConfigError(
            "data.validation_size=0: a sweeper that chooses as it goes looks at validation"
            " images, and there are none. Hold some out: data.validation_size=5000"
        )
    asked = jobs.paired[0] if jobs.paired else f"{KEY}={jobs.file.path}" if jobs.file else None
    if asked:
        raise ConfigError(
            f"{asked}: names each job, and hydra/sweeper lets a search choose them, every setting"
            " by itself. Leave hydra/sweeper out to run them all, or give the search single"
            " settings: optimizer.lr='interval(0.01,0.1)'"
        )
    if "data.fold" in jobs.swept_keys:
        raise ConfigError(
            "data.fold: a search would choose the fold that is easiest. Leave hydra/sweeper out,"
            " or fix one: data.fold=0"
        )
