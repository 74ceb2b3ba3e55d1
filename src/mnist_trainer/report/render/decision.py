"""What a sweep that adds seeds until it is decided has come to, in sentences and as a table."""

from collections.abc import Sequence

from mnist_trainer.report.analysis.sequential import Look, Verdict
from mnist_trainer.report.read.decision import Decision, read_decision
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.report.render.document import DASH, Block, Paragraph, Table
from mnist_trainer.system.messages import counted

MARK = {
    Verdict.OPEN: "open: more seeds are needed",
    Verdict.APART: "apart",
    Verdict.NARROW: "narrow enough",
    Verdict.SPENT: "not decided",
}


def points(share: float | None, *, sign: bool = True) -> str:
    """A difference of accuracies in points."""
    return DASH if share is None else f"{100 * share:+.2f}" if sign else f"{100 * share:.2f}"


def interval(found: Look) -> str:
    """The interval of a look, in points."""
    return DASH if found.low is None else f"{points(found.low)} to {points(found.high)}"


def exact_points(share: float) -> str:
    """A width as it was typed."""
    return f"{100 * share:.6g}"


def verdict(decision: Decision, place: int, found: Look) -> str:
    """The state of a comparison, as a sentence."""
    name, reference = decision.recipes[place], decision.recipes[0]
    seeds = f"{counted(found.seeds, 'seed')} a side"
    width = exact_points(decision.rule.width)
    if found.verdict is Verdict.APART and found.value is not None:
        side = "better" if found.value > 0 else "worse"
        return (
            f"{name} is {side} than {reference} by {points(abs(found.value), sign=False)} points,"
            f" interval {interval(found)}, with {seeds}."
        )
    if found.verdict is Verdict.NARROW:
        return (
            f"{name} and {reference}: the difference is {points(found.value)} points, its interval"
            f" {interval(found)} narrower than {width} points, with {seeds}."
        )
    about = f" (difference {points(found.value)}, interval {interval(found)})"
    if found.verdict is Verdict.SPENT:
        return (
            f"{name} and {reference} cannot be told apart by {width} points with"
            f" {seeds}{about if found.low is not None else ': too few pairs have a result'}."
        )
    return f"{name} and {reference}: not decided yet with {seeds}{about}."


def correction(decision: Decision) -> str:
    """How looking in between was corrected for."""
    rule = decision.rule
    shared = (
        f" and {counted(rule.num_comparisons, 'comparison')}" if rule.num_comparisons > 1 else ""
    )
    return (
        f"Looked {counted(len(decision.rounds), 'time')} of at most {len(rule.looks)} planned"
        f" (after {', '.join(map(str, rule.looks))} seeds), which was corrected for: the 5 % are"
        f" shared over all looks{shared}, so each interval is one of"
        f" {100 * rule.confidence:.2f} % (paired by seed, Student's t), and all of them hold"
        " together at 95 %."
    )


def sentences(decision: Decision) -> list[str]:
    """The verdict on each comparison, then how it was corrected."""
    verdicts = [verdict(decision, place, each) for place, each in sorted(decision.latest.items())]
    return [*verdicts, correction(decision)]


def round_lines(decision: Decision) -> list[str]:
    """What the last look has shown, in a line for each comparison."""
    at, looks = len(decision.rounds), decision.rounds[-1]
    planned = decision.rule.looks[min(at, len(decision.rule.looks)) - 1]
    head = f"look {at} of {len(decision.rule.looks)}, after {counted(planned, 'seed')}"
    return [
        f"{head}: {decision.recipes[place]} - {decision.recipes[0]} = {points(each.value)} points"
        f" ({interval(each)}): {MARK[each.verdict]}"
        for place, each in looks.items()
    ]


def decision_blocks(runs: Sequence[RunRecord]) -> list[Block]:
    """What the sweep of these runs has decided; nothing where they are of several, or of one whose
    seeds were typed."""
    notes: list[str] = []
    sweeps = {run.folder.path.parent for run in runs}
    decision = read_decision(sweeps.pop(), notes) if len(sweeps) == 1 else None
    found = _blocks(decision) if decision and decision.rounds else []
    return [*found, *map(Paragraph, notes)]


def _blocks(decision: Decision) -> list[Block]:
    """The verdicts, and a row for each look."""
    rows = tuple(
        (
            str(number),
            decision.recipes[place],
            str(each.seeds),
            points(each.value),
            interval(each),
            MARK[each.verdict],
        )
        for number, looks in enumerate(decision.rounds, start=1)
        for place, each in looks.items()
    )
    columns = ("look", "recipe", "seeds a side", "difference", "interval", "verdict")
    caption = f"Validation accuracy less that of {decision.recipes[0]}, in points, at each look"
    note = (
        "An interval holds whenever the search ended, for the looks were planned before it began."
        " The p-values of the ranking are not corrected for looking in between; these verdicts are."
    )
    said = [Paragraph(text) for text in sentences(decision)]
    return [*said, Table(caption, columns, rows, frozenset({0, 2, 3}), note)]
