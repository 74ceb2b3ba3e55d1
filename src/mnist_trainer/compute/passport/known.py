"""Digests of the reference run on known kinds of processor, which are data of this package."""

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from mnist_trainer.runs.read import read_json
from mnist_trainer.system.files import write_json

NAME = "known_kinds.json"
FORMAT = "mnist-passport known kinds 1"
HOW = (
    "Each entry is the SHA-256 of losses and weights of the reference run on one kind of processor,"
    " written by mnist-passport --quick --record-known FILE, once for each of"
    " ATEN_CPU_CAPABILITY=default, =avx2 and unset. A machine whose products or replays give an"
    " alarm, or whose digests differ from those that the file holds for its kind, is refused."
)


def known_kinds() -> list[dict[str, Any]]:
    """The entries that this version ships."""
    text = (resources.files("mnist_trainer.compute.passport") / NAME).read_text("utf-8")
    entries: list[dict[str, Any]] = json.loads(text)["entries"]
    return entries


def expected_digests(
    kind: Mapping[str, Any], recipe: Sequence[str], entries: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """Digests by model of the entry for a kind and a recipe; None where there is none."""
    for entry in entries:
        if entry["kind"] == kind and entry["recipe"] == list(recipe):
            digests: Mapping[str, Any] = entry["digests"]
            return digests
    return None


def record_kinds(path: Path, found: Sequence[Mapping[str, Any]]) -> int:
    """Add entries to a file, or make it; how many were new.

    Raises:
        ValueError: an entry of the same kind has other digests.
        UserError: the file cannot be read or written.
    """
    entries = list(read_json(path)["entries"]) if path.exists() else []
    new = 0
    for entry in found:
        expected = expected_digests(entry["kind"], entry["recipe"], entries)
        if expected is None:
            entries.append(dict(entry))
            new += 1
        elif expected != entry["digests"]:
            raise ValueError(f"{path}: other digests are recorded for the kind {entry['kind']}")
    values = {"format": FORMAT, "how": HOW, "entries": entries}
    write_json(path, values, elsewhere="--record-known FILE")
    return new
