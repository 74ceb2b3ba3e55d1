"""``mnist-train -m ... --plan POINTS``: how many seeds a difference takes, before anything runs."""

from pathlib import Path

from mnist_trainer.config.settings import NUM_TRAINING_IMAGES, RunConfig
from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.command import ResolvedCommand
from mnist_trainer.launch.composed import read_composed
from mnist_trainer.launch.seed_options import PLAN, Until
from mnist_trainer.launch.sweep.records import read_jobs
from mnist_trainer.launch.sweep.until import recipes_of, stopping_rule
from mnist_trainer.report.analysis.evidence import (
    PlannedRecipe,
    evidence_of_records,
    evidence_of_runs,
)
from mnist_trainer.report.analysis.groups import group_runs
from mnist_trainer.report.analysis.power import Evidence
from mnist_trainer.report.analysis.sequential import expected_seeds
from mnist_trainer.report.read.records import read_run
from mnist_trainer.report.read.spread import shipped_spread, spread_provenance
from mnist_trainer.report.render.power_document import minutes_text, power_document
from mnist_trainer.report.render.terminal import print_document
from mnist_trainer.runs.folder import OUTPUTS, safe_name


def show_plan(command: ResolvedCommand, points: float) -> None:
    """Print what the sweep would need to show a difference; trains nothing and makes no folder.

    Raises:
        ConfigError: nothing is known of the spread of these recipes.
    """
    recipes = recipes_of(command.composed, command.jobs, command.loader)
    configs = [read_composed(command.loader.compose(words)) for words in recipes]
    known = _seen(command) or _recorded(configs)
    if known is None:
        names = ", ".join(sorted({config.model.choice for config in configs}))
        raise ConfigError(
            f"{PLAN}: nothing is known of the spread over seeds of these recipes ({names}): no"
            " finished runs in the sweep, and no shipped record. Train a few seeds first:"
            " mnist-train -m ... seed=0,1,2,3,4 sweep=NAME, then mnist-report outputs/multirun/NAME"
            f" --power {points:g}"
        )
    until = command.line.until
    further = [_sequential(known, points / 100, until)] if until else []
    further += _without_validation(configs)
    further.append("Nothing was run. Minutes are of one run after the other.")
    print_document(power_document(known, points / 100, "Plan", further))


def _seen(command: ResolvedCommand) -> Evidence | None:
    """What the finished runs in the folder of the sweep say, where it has any."""
    folder = command.typed_folder("hydra.sweep.dir")
    if folder is None and command.config.sweep:
        folder = OUTPUTS / "multirun" / safe_name(command.config.sweep, "sweep")
    if folder is None or not folder.is_dir():
        return None
    jobs = read_jobs(Path(folder))
    return evidence_of_runs(group_runs([read_run(job.folder.path) for job in jobs]))


def _recorded(configs: list[RunConfig]) -> Evidence | None:
    """What shipped records of the nearest recipes say."""
    planned = [
        PlannedRecipe(
            config.choices.get("experiment") or config.model.choice,
            _work(config),
            shipped_spread(config.choices.get("experiment"), config.model.choice),
        )
        for config in configs
    ]
    return evidence_of_records(planned, spread_provenance())


def _work(config: RunConfig) -> float:
    """Epochs times training images."""
    data = config.data
    published = NUM_TRAINING_IMAGES[data.name]
    images = published - (published // data.folds if data.folds else data.validation_size)
    return float(config.trainer.epochs * min(images, data.train_limit or images))


def _sequential(known: Evidence, difference: float, until: Until) -> str:
    """What adding seeds in rounds is going to need, by simulation."""
    rule = stopping_rule(until, known.num_recipes)
    seeds, found = expected_seeds(difference, known.sd.value, rule)
    minutes = known.minutes(round(seeds))
    time = "" if minutes is None else f", {minutes_text(minutes)}"
    return (
        f"With --until width={until.width:g},max={until.most}: {seeds:.0f} seeds a side on average"
        f"{time}, if the difference is {100 * difference:.6g} points; it is then found in"
        f" {100 * found:.0f} % of such searches (2,000 simulated)."
    )


def _without_validation(configs: list[RunConfig]) -> list[str]:
    if all(config.data.holds_out for config in configs):
        return []
    return [
        "Recipes that hold nothing out (data.validation_size=0) can be planned by the spread of"
        " others, but --until does not decide between them."
    ]
