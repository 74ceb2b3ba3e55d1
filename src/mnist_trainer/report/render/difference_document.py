"""The report of what differs between two runs."""

import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from mnist_trainer.report.analysis.curves import Curves
from mnist_trainer.report.analysis.differences import Difference
from mnist_trainer.report.analysis.run_difference import (
    RunDifference,
    parts_sentence,
    verdict_of,
)
from mnist_trainer.report.analysis.text_difference import TextDifference
from mnist_trainer.report.read.records import shown
from mnist_trainer.report.render.document import (
    DASH,
    Block,
    Document,
    Listing,
    Paragraph,
    Picture,
    Section,
    Table,
    clean,
    percent,
    sections_of,
)
from mnist_trainer.report.render.plots import draw_distances
from mnist_trainer.runs.read import number

MOST_ROWS = 20
MOST_LISTINGS = 20
LONGEST, LONGEST_NAME = 64, 100
"""Characters of a value, and of its name, in a table."""
BEFORE = 12
"""Characters of two long values that are shown before the first that differs."""
DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def difference_document(found: RunDifference) -> Document:
    """The verdict, then settings, environment, code and results: only what differs."""
    verdict, _ = verdict_of(found)
    title = f"{found.a.recipe} and {found.b.recipe}"
    sections = sections_of({"Verdict": _verdict(found), **_parts(found)})
    return Document(title, f"differences: {verdict}", sections)


def difference_section(found: RunDifference) -> Section:
    """The same in one section, for a report that is about more."""
    parts = (block for blocks in _parts(found).values() for block in blocks)
    return Section("Differences", (*_verdict(found), *parts))


def _verdict(found: RunDifference) -> list[Block]:
    _, sentence = verdict_of(found)
    runs = tuple((letter, run.path) for letter, run in (("A", found.a), ("B", found.b)))
    lacking = [
        Paragraph(f"{letter} does not record {', '.join(names)}: these are not compared.")
        for letter, names in zip("AB", found.not_recorded, strict=True)
        if names
    ]
    return [
        Paragraph(sentence, strong=True),
        Paragraph(parts_sentence(found)),
        Table("Runs that were compared", ("", "run"), runs),
        *lacking,
        *map(Paragraph, found.notes),
    ]


def _parts(found: RunDifference) -> dict[str, list[Block]]:
    return {
        "Settings": _settings(found),
        "Environment": _table("Environment and data", found.environment)
        or [Paragraph("The environment is the same, as far as both record it.")],
        "Code": _code(found),
        "Results": _results(found),
    }


def _settings(found: RunDifference) -> list[Block]:
    blocks = _table(
        "Settings on which the outcome depends", [each for each in found.settings if each.matters]
    )
    aside = _table(
        "Settings without effect on the outcome: names, places, how the run is watched",
        [each for each in found.settings if not each.matters],
    )
    return [*blocks, *aside] or [Paragraph("All settings are the same.")]


def _code(found: RunDifference) -> list[Block]:
    blocks = _table("Revisions and SHA-256 of the source", found.source)
    if any(not each.matters for each in found.source):
        text = "The package's source is the same by its SHA-256, whatever the revisions."
        blocks.append(Paragraph(text))
    names = {"A": "only in A", "B": "only in B", "both": "in both, different"}
    rows = tuple((_name(each.name), names[each.where]) for each in found.texts)
    if rows:
        caption = "Uncommitted changes (code.patch) and copies of configuration files"
        kept, note = _bounded(rows)
        blocks.append(Table(caption, ("file", ""), kept, note=note))
    blocks += [_listing(each) for each in found.texts[:MOST_LISTINGS] if each.lines]
    return blocks or [Paragraph("The code is the same, as far as both record it.")]


def _listing(text: TextDifference) -> Listing:
    how = "from A to B" if text.where == "both" else f"only in {text.where}"
    cut = ["..."] if text.is_cut else []
    return Listing(f"{_name(text.name)}, {how}", "\n".join([*text.lines, *cut]), "diff")


def _results(found: RunDifference) -> list[Block]:
    rows = tuple(_result_row(each) for each in found.results)
    blocks: list[Block] = []
    if found.curves and found.curves.step is not None:
        blocks.append(_parting(found.curves))
        if found.curves.distances:
            blocks.append(_distances(found.curves))
    if rows:
        columns = ("", "A", "B", "B - A")
        blocks.append(Table("Scores and weights", columns, rows, frozenset({1, 2, 3})))
    if found.same_weights and blocks:
        blocks.append(Paragraph("The SHA-256 of the tested weights is the same."))
    return blocks or [Paragraph("The results are the same.")]


def _parting(curves: Curves) -> Table:
    rows = [(f"last step of {curves.source}", *(f"{step:,}" for step in curves.last_steps))]
    if curves.digests is not None:
        name = f"digest of the weights after step {curves.step:,}"
        rows.append((name, *(f"{digest:016x}" for digest in curves.digests)))
    if curves.values is not None:
        what = "training loss" if curves.source == "trail.bin" else curves.what
        name = f"{what} at step {curves.value_step:,}"
        rows.append((name, *(_decimal(value) for value in curves.values)))
        rows.append(("the same, in hexadecimal", *map(hexadecimal, curves.values)))
    return Table("Where the curves part", ("", "A", "B"), tuple(rows), frozenset({1, 2}))


def _distances(curves: Curves) -> Picture:
    step, distance = max(curves.distances, key=lambda each: each[1])
    alt = f"Distance of the training losses by step; the largest is {distance:.3g} at step {step:,}"
    caption = "How far the training losses are apart; steps at which they are equal have no mark"
    return Picture(caption, alt, partial(draw_distances, curves))


def hexadecimal(value: float | None) -> str:
    """All bits of a number; of None, which stands for one that is not finite, none."""
    return "not finite" if value is None else value.hex()


def _decimal(value: float | None) -> str:
    return "not finite" if value is None else repr(value)


def _result_row(each: Difference) -> tuple[str, str, str, str]:
    a, b = number(each.a), number(each.b)
    name = each.key.replace("_", " ").replace(".", " ").replace("sha256", "SHA-256")
    if a is None or b is None:
        return name, *_pair(each.a, each.b), ""
    if each.key.endswith("accuracy"):
        digits = 2 if percent(a) != percent(b) else 5
        return name, percent(a, digits), percent(b, digits), f"{100 * (b - a):+.{digits}f} points"
    return name, shown(each.a), shown(each.b), f"{b - a:+.4g}"


def _table(caption: str, differences: Sequence[Difference]) -> list[Block]:
    """A table of differences; nothing where there are none."""
    rows, note = _bounded(tuple((_name(each.key), *_pair(each.a, each.b)) for each in differences))
    return [Table(caption, ("", "A", "B"), rows, note=note)] if rows else []


def _name(name: str) -> str:
    """A key or the name of a file; a longer one is no longer one to read."""
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


def _bounded(rows: tuple[Any, ...]) -> tuple[Any, str]:
    more = len(rows) - MOST_ROWS
    return rows[:MOST_ROWS], f"... and {more:,} more, with --json" if more > 0 else ""


def _pair(a: Any, b: Any) -> tuple[str, str]:
    """Two values that differ, shortened so that the difference is seen."""
    texts = ["none" if each is None else clean(shown(each)) for each in (a, b)]
    if all(DIGEST.fullmatch(text) for text in texts if text != "none"):
        return _shortened(texts, 0, BEFORE)
    if max(map(len, texts)) <= LONGEST:
        return texts[0] or DASH, texts[1] or DASH
    return _shortened(texts, max(0, _common(texts) - BEFORE), LONGEST)


def _shortened(texts: Iterable[str], start: int, length: int) -> tuple[str, str]:
    a, b = (
        ("…" if start else "")
        + text[start : start + length]
        + ("…" if len(text) > start + length else "")
        for text in texts
    )
    return a, b


def _common(texts: Sequence[str]) -> int:
    """How many characters two texts have in common from their beginning."""
    pairs = enumerate(zip(*texts, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(map(len, texts)))
