"""``mnist-train -m ... --until width=POINTS,max=SEEDS``: add seeds in rounds until every recipe is
told from the first, or is known well enough, or the seeds are spent.

What decides is the validation accuracy; the test images are not looked at. Each round is a batch of
jobs for the configured launcher, and each look is written to ``decision.json``: the same command
again finds finished jobs and looks that were taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig

from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.command import ResolvedCommand
from mnist_trainer.launch.composed import read_composed
from mnist_trainer.launch.overrides import grid
from mnist_trainer.launch.seed_options import UNTIL, Until
from mnist_trainer.launch.sweep.job_axes import SweepJobs
from mnist_trainer.launch.sweep.launch import ResumableLauncher
from mnist_trainer.launch.sweep.progress import print_line
from mnist_trainer.launch.sweep.records import Sweep, validation_accuracy
from mnist_trainer.report.analysis.sequential import (
    Look,
    StoppingRule,
    Verdict,
    look,
    paired,
    planned_looks,
)
from mnist_trainer.report.read.decision import (
    DECISION,
    Decision,
    read_decision,
    write_decision,
)
from mnist_trainer.report.render.decision import exact_points, round_lines, sentences
from mnist_trainer.runs.folder import display_path
from mnist_trainer.runs.result import read_result
from mnist_trainer.system.messages import counted


def without_seed(command: ResolvedCommand) -> ResolvedCommand:
    """The command without its seed, which says where the seeds begin and is each job's own.

    Raises:
        ConfigError: the sweep names its seeds.
    """
    if "seed" in command.jobs.swept_keys:
        raise ConfigError(
            f"{UNTIL}: adds the seeds itself, and the sweep names them. Leave seed out of its"
            " values, or give the first one: seed=0"
        )
    others = [each for each in command.overrides if each.key_or_group != "seed"]
    return replace(command, overrides=others, jobs=command.jobs.without("seed"))


def recipes_of(config: DictConfig, jobs: SweepJobs, loader: ConfigLoader) -> list[list[str]]:
    """The combinations of a sweep, as words; those that differ in the seed alone count once."""
    axes = jobs.without("seed").task_axes
    blocks = [[*(a.without({"seed"}) for a in block.axes), *axes] for block in jobs.blocks]
    found = (tuple(job) for batch in grid(config, (), blocks, loader) for job in batch)
    return [list(words) for words in dict.fromkeys(found)]


def names_of(recipes: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """What sets each recipe apart from the others; of a single one, all that was typed."""
    common = set.intersection(*map(set, recipes)) if len(recipes) > 1 else set()
    return tuple(
        " ".join(word for word in words if word not in common and not word.startswith("hydra"))
        for words in recipes
    )


def stopping_rule(until: Until, num_recipes: int) -> StoppingRule:
    """The rule that was typed, as shares of the images, and its looks."""
    return StoppingRule(until.width / 100, planned_looks(until.most), num_recipes - 1)


@dataclass
class Rounds:
    """The rounds of a sweep: what is compared, and the accuracies so far."""

    until: Until
    recipes: list[list[str]]
    first_seed: int
    launcher: ResumableLauncher
    sweep: Sweep
    batch_size: int | None

    def __post_init__(self) -> None:
        rule = stopping_rule(self.until, len(self.recipes))
        self.decision = Decision(rule, names_of(self.recipes), self.first_seed)
        self.accuracies: list[dict[int, float]] = [{} for _ in self.recipes]
        self.resolution = 0.0

    def run(self, earlier: Decision | None) -> Decision:
        """Add seeds until nothing is open.

        Args:
            earlier: the looks that were taken before this command; they are not taken again.
        """
        num_done, waiting = 0, list(range(1, len(self.recipes)))
        for number, num_seeds in enumerate(self.decision.rule.looks):
            self._train([0, *waiting], range(num_done, num_seeds))
            num_done = num_seeds
            known = earlier.rounds[number] if earlier and number < len(earlier.rounds) else None
            is_last = num_seeds == self.decision.rule.most
            looks = known or {place: self._look(place, is_last=is_last) for place in waiting}
            self.decision = self.decision.with_round(looks)
            # The record of an earlier command may hold looks that are still to come here.
            if known is None:
                write_decision(self.decision, self.sweep.folder)
            for line in round_lines(self.decision):
                print_line(line)
            waiting = [place for place in waiting if looks[place].verdict is Verdict.OPEN]
            if not waiting:
                break
        return self.decision

    def _train(self, places: Sequence[int], offsets: range) -> None:
        """Train new seeds of some recipes, and note their accuracies."""
        asked = [(place, self.first_seed + offset) for offset in offsets for place in places]
        self.sweep.total = len(self.sweep.jobs) + len(asked)
        size = self.batch_size or len(asked)
        for start in range(0, len(asked), size):
            batch = asked[start : start + size]
            words = [[*self.recipes[place], f"seed={seed}"] for place, seed in batch]
            returned = self.launcher.launch(words, initial_job_idx=len(self.sweep.jobs))
            for (place, seed), job in zip(batch, returned, strict=True):
                self._note(place, seed, read_result(Path(str(job.working_dir)) / "result.json"))

    def _note(self, place: int, seed: int, result: dict[str, Any] | None) -> None:
        accuracy = validation_accuracy(result)
        if result and accuracy == accuracy:  # A job that failed has a NaN.
            self.accuracies[place][seed] = accuracy
            self.resolution = 1 / int(result["validation"].get("images", 1))

    def _look(self, place: int, *, is_last: bool) -> Look:
        differences = paired(self.accuracies[0], self.accuracies[place])
        return look(differences, self.decision.rule, self.resolution, is_last=is_last)


def launch_rounds(
    command: ResolvedCommand, until: Until, config: DictConfig, launcher: ResumableLauncher
) -> None:
    """Train seeds in rounds until the sweep is decided.

    Args:
        config: the composed configuration of the whole sweep.

    Raises:
        ConfigError: there is nothing to compare, or not on the same validation images; or the sweep
            has looked by another rule.
    """
    sweep = launcher.sweep
    recipes = recipes_of(config, command.jobs, command.loader)
    _require_comparable(command, config, recipes)
    size = config.hydra.sweeper.max_batch_size
    rounds = Rounds(until, recipes, command.config.seed, launcher, sweep, size)
    earlier = require_same_rule(sweep.folder, rounds.decision)
    looks = ", ".join(map(str, rounds.decision.rule.looks))
    print_line(
        f"sweep {sweep.folder.name}: {counted(len(recipes), 'recipe')}, seeds added until decided,"
        f" looks after {looks} seeds, in {sweep}"
    )
    rounds.run(earlier)


def show_decision(sweep: Path) -> None:
    """Print the verdicts, below the table."""
    decision = read_decision(sweep, [])
    for line in sentences(decision) if decision else ():
        print_line(line)


def _require_comparable(
    command: ResolvedCommand, config: DictConfig, recipes: Sequence[Sequence[str]]
) -> None:
    """Raise ``ConfigError`` where the recipes cannot be compared by their validation accuracy."""
    if len(recipes) < 2:
        raise ConfigError(
            f"{UNTIL}: compares recipes, and there is one only. Sweep a setting:"
            " mnist-train -m optimizer.lr=0.01,0.02"
            f" {UNTIL} width={command.line.until.width if command.line.until else 0.2:g},max=60"
        )
    settings = [
        read_composed(command.loader.compose_job(config, list(words))).data for words in recipes
    ]
    for words, data in zip(recipes, settings, strict=True):
        if not data.holds_out:
            raise ConfigError(
                f"{UNTIL}: decides by validation accuracy, never by test accuracy, and"
                f" {' '.join(words)} holds no images out (data.validation_size=0). Hold some out:"
                " data.validation_size=5000"
            )
    pairs = zip(recipes, settings, strict=True)
    images = {data.held_out: " ".join(words) for words, data in pairs}
    if len(images) > 1:
        first, second = list(images.values())[:2]
        raise ConfigError(
            f"{UNTIL}: {first} and {second} are validated on different images, so their accuracies"
            " are not paired. Give all the same data.name, data.validation_size, data.split_seed"
            " and data.validation_limit."
        )


def require_same_rule(folder: Path, now: Decision) -> Decision | None:
    """The looks that were taken in this sweep before.

    Raises:
        ConfigError: by another rule: the error that they have spent cannot be taken back.
    """
    notes: list[str] = []
    earlier = read_decision(folder, notes)
    if notes:
        raise ConfigError(
            f"{display_path(folder / DECISION)}: cannot be read, so it is not known which looks"
            " were taken. Begin anew under another name: sweep=NAME"
        )
    if earlier is None or not earlier.rounds:
        return None
    if replace(earlier, rounds=()) != now:
        rule = earlier.rule
        raise ConfigError(
            f"{UNTIL}: this sweep has looked {counted(len(earlier.rounds), 'time')} by another rule"
            f" (width={exact_points(rule.width)},max={rule.most} seed={earlier.first_seed};"
            f" {'; '.join(earlier.recipes)}), which fixed what each look may err; to change it"
            " after looking would break the 5 %."
            " Type that rule again, or begin anew under another name: sweep=NAME"
        )
    return earlier
