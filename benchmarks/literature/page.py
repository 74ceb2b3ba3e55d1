"""The table of docs/claims.md, from the records alone."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "claims.md"
BLOCK = re.compile(r"(<!-- claims:start -->\n).*?(<!-- claims:end -->)", re.DOTALL)

Record = Mapping[str, Any]


def render(records: Sequence[Record], causes: Mapping[str, str] | None = None) -> str:
    """A table of all claims, then sources and recipes, then why each verdict came out as it did.

    Args:
        causes: by the name of the claim, what was found out about a verdict.
    """
    sources = grouped((f"{each['source']}. Ours: {each['ours']}.", each) for each in records)
    reasons = grouped(
        (_reason(each, (causes or {}).get(each["name"], "")), each) for each in records
    )
    lines = [
        "| claim | published | accepted | n | ours | verdict |",
        "|---|---|---|---|---|---|",
        *(_row(record) for record in records),
        "",
        "Sources, and how ours was made:",
        "",
        *(f"* {names}: {text}" for text, names in sources.items()),
        "",
        "The verdicts:",
        "",
        *(f"* {names}: {text}" for text, names in reasons.items()),
    ]
    return "\n".join(lines) + "\n"


def grouped(texts: Iterable[tuple[str, Record]]) -> dict[str, str]:
    """Each text once, with the names of all claims that it is about."""
    names: dict[str, list[str]] = {}
    for text, record in texts:
        names.setdefault(text, []).append(f"`{record['name']}`")
    return {text: ", ".join(each) for text, each in names.items()}


def fill(text: str, records: Sequence[Record], causes: Mapping[str, str] | None = None) -> str:
    """The page with its table made anew; all else stays as it is.

    Raises:
        ValueError: the page has no place for it.
    """
    if not BLOCK.search(text):
        raise ValueError("the page lacks <!-- claims:start --> and <!-- claims:end -->")
    table = render(records, causes)
    return BLOCK.sub(lambda found: f"{found.group(1)}{table}{found.group(2)}", text)


def _row(record: Record) -> str:
    measured = record["measured"]
    cells = [
        f"{record['sentence']} (`{record['name']}`)",
        record["published"],
        accepted_words(record["accepted"], record["unit"]),
        f"{measured['n']} of {record['needed']}" if measured else f"0 of {record['needed']}",
        measured_words(measured, record["unit"]) if measured else "",
        f"**{record['verdict']}**",
    ]
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _reason(record: Record, cause: str) -> str:
    details = detail_words(record["measured"])
    parts = [f"{record['verdict']}, {record['reason']}", *([f"({details})"] if details else [])]
    return f"{' '.join(parts).rstrip('.')}. {cause}".rstrip()


def detail_words(measured: Record | None) -> str:
    """What was measured besides, in short; empty where there is nothing."""
    details = measured["details"] if measured else {}
    return "; ".join(
        f"{name.replace('_', ' ')} {_detail(value)}"
        for name, value in details.items()
        if value is not None
    )


def _detail(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_detail(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.3g}" if isinstance(value, float) and value < 1 else _plain(value)


def _plain(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def accepted_words(accepted: Sequence[float | None] | None, unit: str) -> str:
    """The accepted values in words."""
    if accepted is None:
        return ""
    low, high = accepted
    if high is None:
        return f"at least {low:g} {unit}"
    if low is None:
        return f"at most {high:g} {unit}"
    return f"{low:g} to {high:g} {unit}"


def measured_words(measured: Record, unit: str) -> str:
    """A value and its interval."""
    low, high = measured["interval"]
    return f"{_number(measured['value'])} {unit} ({_number(low)} to {_number(high)})"


def _number(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}"
