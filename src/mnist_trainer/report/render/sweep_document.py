"""The report of many runs: which settings are the best, what each setting does, what became of
every run."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mnist_trainer.report.analysis.groups import (
    LEVEL,
    Effect,
    Group,
    apart_from_best,
    group_runs,
    main_effects,
    split_to_judge_by,
    value_of,
)  # fmt: skip
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.report.render.document import (
    DASH,
    Block,
    Document,
    Paragraph,
    Picture,
    Section,
    Table,
    percent,
    seconds_text,
    spread_text,
)
from mnist_trainer.report.render.plots import draw_effects, draw_overlay, draw_parallel, draw_time
from mnist_trainer.runs.folder import display_path
from mnist_trainer.system.messages import counted
from mnist_trainer.system.optional_packages import is_installed

SETTINGS_FOR_PARALLEL = 2
RUNS_FOR_PARALLEL = 6
NO_RANKS = (
    "Not ranked: these runs held nothing out for validation (data.validation_size=0), and to choose"
    " by the test images would spoil them as a test."
)


def sweep_document(runs: Sequence[RunRecord], title: str) -> Document:
    """All that there is to say of several runs together."""
    groups, split = group_runs(runs), split_to_judge_by(runs)
    effects = main_effects(groups, split) if len(groups) > 1 else []
    sections = [Section("Ranking", tuple(_ranking(groups, runs)))]
    if any(run.points for run in runs):
        alt = (
            f"Training loss by epoch of {counted(len(runs), 'run')} in"
            f" {counted(len(groups), 'group')}"
        )
        caption = "All runs, a colour for each group; labels stand at the median seed"
        sections.append(
            Section(
                "Curves",
                (Picture(caption, alt, partial(draw_overlay, groups, _curve_split(runs))),),
            )
        )
    if effects:
        sections.append(Section("Effect of each setting", tuple(_effects(effects, split))))
    num_completed = sum(len(group.completed) for group in groups)
    if (
        len({effect.setting for effect in effects}) >= SETTINGS_FOR_PARALLEL
        and num_completed >= RUNS_FOR_PARALLEL
    ):
        alt = (
            f"Each run as a line through its settings to its {split} accuracy; the best:"
            f" {groups[0].label}"
        )
        caption = (
            "A line a run, from its settings to its accuracy; the darker in light, the brighter in"
            " dark, the better"
        )
        sections.append(
            Section(
                "Settings together", (Picture(caption, alt, partial(draw_parallel, groups, split)),)
            )
        )
    if any(group.seconds for group in groups):
        alt = f"{split.capitalize()} accuracy of each run against its time; " + "; ".join(
            f"{group.label}: {_seconds(group)}, {spread_text(group.validation or group.test)}"
            for group in groups[:6]
            if group.seconds
        )
        picture = Picture(
            "A mark a run; set-up, training and evaluation counted",
            alt,
            partial(draw_time, groups, split),
        )
        sections.append(Section("Accuracy against time", (picture,)))
    sections.append(Section("Runs", tuple(_runs(runs, groups))))
    return Document(title, _subtitle(runs, groups), tuple(sections))


def _curve_split(runs: Sequence[RunRecord]) -> str:
    return (
        "validation" if any(p.split == "validation" for run in runs for p in run.points) else "test"
    )


def _subtitle(runs: Sequence[RunRecord], groups: Sequence[Group]) -> str:
    counts: dict[str, int] = {}
    for run in runs:
        counts[run.status] = counts.get(run.status, 0) + 1
    states = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"{counted(len(runs), 'run')} ({states}), {counted(len(groups), 'group')} over seeds"


def _seconds(group: Group) -> str:
    return seconds_text(group.seconds.mean if group.seconds else None)


def _ranking(groups: Sequence[Group], runs: Sequence[RunRecord]) -> list[Block]:
    ranked = [group for group in groups if group.validation]
    rest = [group for group in groups if not group.validation]
    blocks: list[Block] = []
    settings = tuple(groups[0].settings) or ("recipe",)
    last = ("validation", "test", "n", "time", "status")
    if ranked:
        compared = is_installed("scipy")
        apart = apart_from_best(ranked) if compared else {}
        rows = tuple(
            (str(place + 1), *_setting_values(group), *_scores(group), _against_best(place, apart))
            for place, group in enumerate(ranked)
        )
        columns = ("rank", *settings, *last, "against the best")
        width = len(columns)
        note = (
            "Mean ± standard deviation over n seeds; ranked by validation accuracy, the test images"
            " have no say."
        )
        if apart:
            note += (
                " Against the best: Welch's t-test over seeds, all pairs of groups, adjusted by"
                " Holm; apart means p < 0.05. Not shown to differ does not mean equal."
            )
        elif not compared:
            note += " Which groups are apart is not tested: pip install scipy."
        blocks.append(
            Table(
                "Groups over seeds, the best first",
                columns,
                rows,
                frozenset({0, width - 6, width - 5, width - 4, width - 3}),
                note,
            )
        )
        blocks += [Paragraph(text) for text in _warnings(ranked)]
    completed = [group for group in rest if group.completed]
    if completed:
        blocks.append(_table("Groups over seeds, not ranked", completed, settings, last))
        blocks.append(Paragraph(NO_RANKS))
        if len(completed) > 1:
            blocks.append(Paragraph("To compare two of them: mnist-report A B --compare"))
    without = [group for group in rest if not group.completed]
    if without:
        blocks.append(_table("Groups without a completed run", without, settings, last))
    repeats = sum(run.completed for run in runs) - sum(len(group.completed) for group in groups)
    if repeats:
        who = "1 run repeats" if repeats == 1 else f"{repeats} runs repeat"
        blocks.append(
            Paragraph(
                f"{who} the weights of another, with the same seed: equal weights are counted once."
            )
        )
    return blocks


def _table(
    caption: str, groups: Sequence[Group], settings: tuple[str, ...], last: tuple[str, ...]
) -> Table:
    rows = tuple((*_setting_values(group), *_scores(group)) for group in groups)
    width = len(settings)
    return Table(caption, (*settings, *last), rows, frozenset(range(width, width + 4)))


def _setting_values(group: Group) -> tuple[str, ...]:
    return tuple(group.settings.values()) or (group.label,)


def _scores(group: Group) -> tuple[str, ...]:
    return (
        spread_text(group.validation),
        spread_text(group.test),
        str(len(group.completed)),
        _seconds(group),
        group.states,
    )


def _against_best(place: int, apart: dict[int, float]) -> str:
    if place == 0:
        return "best"
    p = apart.get(place)
    if p is None:
        return DASH
    return f"apart (p = {p:.2g})" if p < LEVEL else f"not shown to differ (p = {p:.2g})"


def _warnings(ranked: Sequence[Group]) -> list[str]:
    """What makes a rank say less than it seems to."""
    said = []
    keys = ("data.name", "data.validation_size", "data.split_seed", "data.validation_limit")
    if differing := [
        key for key in keys if len({value_of(group.runs[0], key) for group in ranked}) > 1
    ]:
        said.append(
            f"Careful: the groups were not validated on the same images ({', '.join(differing)}"
            " differ)."
        )
    if len({len(group.completed) for group in ranked}) > 1:
        said.append("Careful: the groups do not have the same number of completed seeds.")
    if len(ranked) > 1 and all(len(group.completed) == 1 for group in ranked):
        said.append(
            "One seed each: how much of a difference is chance cannot be told. More seeds:"
            " mnist-train -m ... 'seed=range(3)'"
        )
    return said


def _effects(effects: Sequence[Effect], split: str) -> list[Block]:
    rows = tuple((e.setting, e.value, spread_text(e.spread), str(e.spread.n)) for e in effects)
    note = (
        f"{split.capitalize()} accuracy over all values of the other settings and all seeds;"
        " completed runs only."
    )
    if split == "test":
        note += " These runs held nothing out, so these are test accuracies: not for choosing."
    if len({effect.spread.n for effect in effects if effect.setting == effects[0].setting}) > 1:
        note += (
            " Values with unlike numbers of runs met other settings unlike often: read their means"
            " with care."
        )
    best = {
        e.setting: max((x for x in effects if x.setting == e.setting), key=lambda x: x.spread.mean)
        for e in effects
    }
    alt = "; ".join(
        f"{key}: highest mean with {effect.value}, {spread_text(effect.spread)}"
        for key, effect in best.items()
    )
    return [
        Picture("A dot a run, diamonds at the means", alt, partial(draw_effects, effects, split)),
        Table(
            "Main effects", ("setting", "value", "mean ± sd", "runs"), rows, frozenset({2, 3}), note
        ),
    ]


def _runs(runs: Sequence[RunRecord], groups: Sequence[Group]) -> list[Block]:
    settings = tuple(groups[0].settings)
    base = Path(os.path.commonpath([run.folder.path.parent for run in runs]))
    names = {
        run.path: run.path if base == Path(base.anchor) else str(run.folder.path.relative_to(base))
        for run in runs
    }
    rows = tuple(
        (
            names[run.path],
            *(value_of(run, key) for key in settings),
            "" if run.seed is None else str(run.seed),
            run.status,
            percent(run.validation.accuracy if run.validation else None),
            percent(run.test.accuracy if run.test else None),
            seconds_text(run.seconds("total")),
        )
        for run in runs
    )
    width = len(settings)
    columns = ("run", *settings, "seed", "status", "validation", "test", "time")
    blocks: list[Block] = [
        Table(
            f"Every run, below {display_path(base)}",
            columns,
            rows,
            frozenset({width + 1, width + 3, width + 4, width + 5}),
        )
    ]
    unwell = tuple(
        (names[run.path], run.status, run.message or DASH) for run in runs if not run.completed
    )
    if unwell:
        note = (
            ""
            if not any(run.status == "interrupted" for run in runs)
            else "An interrupted run goes on with mnist-train resume=FOLDER."
        )
        blocks.append(
            Table(
                "Runs without a result", ("run", "status", "what it said last"), unwell, note=note
            )
        )
    return [*blocks, *(Paragraph(note) for run in runs for note in run.notes)]
