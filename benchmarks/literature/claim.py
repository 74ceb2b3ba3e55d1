"""A claim, as it is written down before anything is trained for it, and its record afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.literature.verdict import Accepted, Estimate, judge


@dataclass(frozen=True)
class Claim:
    """A sentence that a measurement can contradict."""

    name: str
    group: str
    """The measurement that yields it, a key of ``measurements.MEASUREMENTS``."""
    sentence: str
    source: str
    published: str
    """As it was published, in words."""
    accepted: Accepted | None
    """None where nothing was published."""
    unit: str
    needed: int
    """Runs, or pairs of runs, without which there is no verdict."""
    ours: str
    """How our runs are made, and how they differ from the published ones."""

    def as_json(self) -> dict[str, Any]:
        """What was written down before the first run."""
        return {
            "name": self.name,
            "group": self.group,
            "sentence": self.sentence,
            "source": self.source,
            "published": self.published,
            "accepted": self.accepted.as_json() if self.accepted else None,
            "unit": self.unit,
            "needed": self.needed,
            "ours": self.ours,
        }


def judged_record(
    claim: Claim, estimate: Estimate, provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """The record of a claim that was measured."""
    verdict, reason = judge(estimate, claim.accepted, claim.needed)
    return {
        **claim.as_json(),
        "measured": estimate.as_json(),
        "verdict": verdict,
        "reason": reason,
        **provenance,
    }


def unmeasured_record(claim: Claim, reason: str) -> dict[str, Any]:
    """The record of a claim that was not measured."""
    return {**claim.as_json(), "measured": None, "verdict": "not run", "reason": reason}
