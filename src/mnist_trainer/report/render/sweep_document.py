"""The report of a sweep: ranking, effect of each setting, status of every run."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mnist_trainer.report.analysis.folds import count_samples, explain_interval
from mnist_trainer.report.analysis.groups import (
    LEVEL,
    Effect,
    Group,
    apart_from_best,
    changed_together,
    count_states,
    group_runs,
    main_effects,
    split_to_judge_by,
    value_of,
)
from mnist_trainer.report.read.question import read_questions
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.report.render.band_plots import band_picture
from mnist_trainer.report.render.card_comparison import card_blocks
from mnist_trainer.report.render.decision import decision_blocks
from mnist_trainer.report.render.document import (
    DASH,
    Block,
    Document,
    Paragraph,
    Picture,
    Table,
    fold_interval_text,
    headline,
    seconds_text,
    sections_of,
    spread_text,
)
from mnist_trainer.report.render.sweep_plots import (
    draw_effects,
    draw_overlay,
    draw_parallel,
    draw_time,
)
from mnist_trainer.report.render.sweep_runs import runs_table
from mnist_trainer.system.messages import counted

SETTINGS_FOR_PARALLEL = 2
RUNS_FOR_PARALLEL = 6
SCORES = ("validation", "test", "n", "time", "status")
NOT_RANKED = (
    "Not ranked: these runs held nothing out for validation (data.validation_size=0), and to choose"
    " by the test images would spoil them as a test."
)
RANKED = (
    "Mean ± standard deviation over n {over}; ranked by validation accuracy, never by test"
    " accuracy."
)
AGAINST_BEST = (
    " Against the best: {test}, all pairs of groups, adjusted by Holm; apart means p < 0.05. Not"
    " shown to differ does not mean equal."
)
WELCH = "Welch's t-test over seeds"
PAIRED = "t-test of the differences paired by fold and seed, its variance corrected likewise"


def sweep_document(runs: Sequence[RunRecord], title: str, place: Path | None = None) -> Document:
    """The report of several runs.

    Args:
        place: folder that the report is written to, from which links to the runs lead.
    """
    groups, split = group_runs(runs), split_to_judge_by(runs)
    effects = main_effects(groups, split) if len(groups) > 1 else []
    questions = [Paragraph(question, strong=True) for question in read_questions(runs)]
    sections = sections_of(
        {
            "Question": questions,
            "Ranking": _ranking(groups, runs),
            "Until it is decided": decision_blocks(runs),
            "Curves": _curves(groups, runs),
            "Effect of each setting": _effects(effects, split, groups),
            "Settings together": _parallel(groups, effects, split),
            "Accuracy against time": _time(groups, split),
            "Evaluation cards": card_blocks(groups),
            "Runs": runs_table(runs, groups, place),
        }
    )
    size = f"{counted(len(runs), 'run')} ({count_states(runs)})"
    return Document(
        title, f"{size}, {counted(len(groups), 'group')} over {_over(groups)}", sections
    )


def _ranking(groups: Sequence[Group], runs: Sequence[RunRecord]) -> list[Block]:
    ranked = [group for group in groups if group.validation]
    unranked = [group for group in groups if group.completed and not group.validation]
    without = [group for group in groups if not group.completed]
    blocks: list[Block] = []
    if ranked:
        blocks += [*_best(ranked[0]), _ranked_table(ranked), *map(Paragraph, _warnings(ranked))]
    if unranked:
        blocks += [
            _table(f"Groups over {_over(unranked)}, not ranked", unranked),
            Paragraph(NOT_RANKED),
        ]
    if len(unranked) > 1:
        blocks.append(Paragraph("To compare two of them: mnist-report A B --compare"))
    if without:
        blocks.append(_table("Groups without a completed run", without))
    num_distinct = sum(len(group.completed) for group in groups)
    return blocks + _repeats(sum(run.completed for run in runs) - num_distinct)


def _best(group: Group) -> list[Block]:
    if group.test is None:
        return []
    about = f"test accuracy of the best by validation accuracy: {group.label}, {group.size}"
    return [headline(spread_text(group.test), about)]


def _repeats(repeats: int) -> list[Block]:
    if not repeats:
        return []
    who = "1 run repeats" if repeats == 1 else f"{repeats} runs repeat"
    text = f"{who} the weights of another, with the same seed: equal weights are counted once."
    return [Paragraph(text)]


def _ranked_table(ranked: Sequence[Group]) -> Table:
    plain, apart = (
        _table(f"Groups over {_over(ranked)}, the best first", ranked),
        apart_from_best(ranked),
    )
    return Table(
        plain.caption,
        ("rank", *plain.columns, "against the best"),
        tuple(
            (str(place + 1), *row, _against_best(place, apart))
            for place, row in enumerate(plain.rows)
        ),
        frozenset({0, *(column + 1 for column in plain.numeric)}),
        _ranked_note(ranked, with_tests=bool(apart)),
    )


def _ranked_note(ranked: Sequence[Group], *, with_tests: bool) -> str:
    found = [group.folds for group in ranked if group.folds]
    note = RANKED.format(over=_over(ranked))
    if found:
        note += f" {explain_interval(found[0])}"
    return note + (AGAINST_BEST.format(test=PAIRED if found else WELCH) if with_tests else "")


def _table(caption: str, groups: Sequence[Group]) -> Table:
    settings = tuple(groups[0].settings) or ("recipe",)
    over_folds = any(group.folds for group in groups)
    rows = tuple(
        (
            *(tuple(group.settings.values()) or (group.label,)),
            spread_text(group.validation),
            *((fold_interval_text(group.folds),) if over_folds else ()),
            spread_text(group.test),
            count_samples(group.completed),
            _seconds(group),
            count_states(group.runs),
        )
        for group in groups
    )
    scores = (SCORES[0], "95 % interval", *SCORES[1:]) if over_folds else SCORES
    numeric = frozenset(range(len(settings), len(settings) + len(scores) - 1))
    return Table(caption, (*settings, *scores), rows, numeric)


def _over(groups: Sequence[Group]) -> str:
    return "folds" if any(group.folds for group in groups) else "seeds"


def _seconds(group: Group) -> str:
    return seconds_text(group.seconds.mean if group.seconds else None)


def _against_best(place: int, apart: dict[int, float]) -> str:
    if place == 0:
        return "best"
    p = apart.get(place)
    if p is None:
        return DASH
    return f"apart (p = {p:.2g})" if p < LEVEL else f"not shown to differ (p = {p:.2g})"


def _warnings(ranked: Sequence[Group]) -> list[str]:
    """Reasons to read the ranking with care."""
    said = []
    keys = (
        *("data.name", "data.validation_size", "data.folds", "data.split_seed"),
        "data.validation_limit",
    )
    differing = [key for key in keys if len({value_of(g.runs[0], key) for g in ranked}) > 1]
    if differing:
        said.append(
            "Careful: the groups were not validated on the same images"
            f" ({', '.join(differing)} differ)."
        )
    if len({len(group.completed) for group in ranked}) > 1:
        said.append(
            f"Careful: the groups do not have the same number of completed {_over(ranked)}."
        )
    if lacking := _lacking_folds(ranked):
        said.append(f"Careful: folds are missing, and folds differ in difficulty: {lacking}.")
    if len(ranked) > 1 and all(len(group.completed) == 1 for group in ranked):
        said.append(
            "One seed each: how much of a difference is chance cannot be told. More seeds:"
            " mnist-train -m ... 'seed=range(3)'"
        )
    return said


def _lacking_folds(ranked: Sequence[Group]) -> str:
    """The groups over folds that do not have all of them."""
    found = ((group, value_of(group.runs[0], "data.folds")) for group in ranked if group.folds)
    return "; ".join(
        f"{group.label} has {group.folds.folds} of {folds}"
        for group, folds in found
        if group.folds and str(group.folds.folds) != folds
    )


def _curves(groups: Sequence[Group], runs: Sequence[RunRecord]) -> list[Block]:
    splits = {record.split for run in runs for record in run.metrics}
    if not splits:
        return []
    split = "validation" if "validation" in splits else "test"
    size = f"{counted(len(runs), 'run')} in {counted(len(groups), 'group')}"
    caption = "All runs, one colour per group; labels stand at the median seed"
    draw = partial(draw_overlay, groups, split)
    bands = band_picture(groups, split)
    return [
        *([bands] if bands else []),
        Picture(caption, f"Training loss by epoch of {size}", draw),
    ]


def _effects(effects: Sequence[Effect], split: str, groups: Sequence[Group]) -> list[Block]:
    if not effects:
        return []
    note = (
        f"{split.capitalize()} accuracy over all values of the other settings and all seeds;"
        " completed runs only."
    )
    if split == "test":
        note += " These runs held nothing out, so these are test accuracies: not for choosing."
    if len({effect.spread.n for effect in effects if effect.setting == effects[0].setting}) > 1:
        note += (
            " Where the numbers of runs differ, the other settings differ as well: read these means"
            " with care."
        )
    if together := changed_together(groups):
        note += (
            f" {', '.join(together)} took their values together: the effect of one cannot be told"
            " from that of another."
        )
    # Of each setting the value with the highest mean, which comes last here.
    best = {e.setting: e for e in sorted(effects, key=lambda effect: effect.spread.mean)}
    alt = "; ".join(
        f"{key}: highest mean with {effect.value}, {spread_text(effect.spread)}"
        for key, effect in best.items()
    )
    rows = tuple((e.setting, e.value, spread_text(e.spread), str(e.spread.n)) for e in effects)
    columns = ("setting", "value", "mean ± sd", "runs")
    draw = partial(draw_effects, effects, split)
    return [
        Picture("A dot per run, diamonds at the means", alt, draw),
        Table("Main effects", columns, rows, frozenset({2, 3}), note),
    ]


def _parallel(groups: Sequence[Group], effects: Sequence[Effect], split: str) -> list[Block]:
    num_settings = len({effect.setting for effect in effects})
    num_completed = sum(len(group.completed) for group in groups)
    if num_settings < SETTINGS_FOR_PARALLEL or num_completed < RUNS_FOR_PARALLEL:
        return []
    alt = (
        f"Each run as a line through its settings to its {split} accuracy; the best:"
        f" {groups[0].label}"
    )
    caption = "A line per run, from its settings to its accuracy; the stronger, the better"
    return [Picture(caption, alt, partial(draw_parallel, groups, split))]


def _time(groups: Sequence[Group], split: str) -> list[Block]:
    timed = "; ".join(
        f"{group.label}: {_seconds(group)}, {spread_text(group.validation or group.test)}"
        for group in [group for group in groups if group.seconds][:6]
    )
    if not timed:
        return []
    alt = f"{split.capitalize()} accuracy of each run against its time; {timed}"
    caption = "A mark per run; the time includes set-up, training and evaluation"
    return [Picture(caption, alt, partial(draw_time, groups, split))]
