"""What differs between two runs: settings, environment, code, results, and a verdict on it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mnist_trainer.errors import ConfigError
from mnist_trainer.report.analysis.curves import Curves, compare_curves
from mnist_trainer.report.analysis.differences import (
    Difference,
    environment_differences,
    is_same,
    settings_differences,
    source_differences,
    unrecorded,
)
from mnist_trainer.report.analysis.text_difference import TextDifference, text_differences
from mnist_trainer.report.read.code import read_code
from mnist_trainer.report.read.discovery import merge
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.runs.trail import Trail, read_trail
from mnist_trainer.system.messages import counted

MOST_NAMED, LONGEST = 4, 80
"""Keys that a sentence names, and characters of each."""
RESULTS = ("epochs", "steps", "tested_epoch", "weights_sha256", "last_weights_sha256")


@dataclass(frozen=True)
class RunDifference:
    """The comparison of two runs; each part holds only what differs."""

    a: RunRecord
    b: RunRecord
    settings: tuple[Difference, ...]
    environment: tuple[Difference, ...]
    source: tuple[Difference, ...]
    """Revisions and digests."""
    texts: tuple[TextDifference, ...]
    """Uncommitted changes and copies of configuration files."""
    results: tuple[Difference, ...]
    curves: Curves | None
    not_recorded: tuple[tuple[str, ...], tuple[str, ...]]
    """What the folders of A and B lack, as those of older versions do."""
    notes: tuple[str, ...]
    """Files that could not be read."""

    @property
    def code(self) -> tuple[str, ...]:
        """Names of what differs in the code and matters."""
        keys = (each.key for each in self.source if each.matters)
        return (*keys, *(each.name for each in self.texts))

    @property
    def same_weights(self) -> bool | None:
        """Whether the tested weights are equal, by their SHA-256; None where one is unknown."""
        if self.a.weights is None or self.b.weights is None:
            return None
        return self.a.weights == self.b.weights


def difference_of_named(
    names: Sequence[str], parts: Sequence[Sequence[RunRecord]]
) -> RunDifference:
    """Compare the two runs that the words of the command line name.

    Args:
        names: the words.
        parts: the runs of each.

    Raises:
        ConfigError: they are not two.
    """
    runs = merge(parts)
    if len(runs) == 2:
        return difference_of(*runs)
    paths = [run.path for run in runs[:5]] + (["..."] if len(runs) > 5 else [])
    this = "this is" if len(runs) == 1 else "these are"
    twice = ", named more than once" if len(runs) == 1 < len(names) else ""
    raise ConfigError(
        f"--diff takes two runs; {this} {len(runs)}{twice}:\n"
        + "\n".join(paths)
        + "\nName the folders of two runs, such as: mnist-report A B --diff. Recipes over several"
        " seeds are compared by: mnist-report A B --compare"
    )


def difference_of(a: RunRecord, b: RunRecord) -> RunDifference:
    """Compare two runs by what their folders hold."""
    trails = (read_trail(a.folder.trail), read_trail(b.folder.trail))
    code_a, code_b = read_code(a.folder), read_code(b.folder)
    return RunDifference(
        a,
        b,
        tuple(settings_differences(a.config, b.config)),
        tuple(environment_differences(a.environment, b.environment)),
        tuple(source_differences(a.environment, b.environment)),
        (
            *text_differences(code_a.patch, code_b.patch, "code.patch: "),
            *text_differences(code_a.config_files, code_b.config_files, "config_files/"),
        ),
        tuple(_result_differences(a, b)),
        compare_curves(a, b, trails),
        (_missing(a, trails[0]), _missing(b, trails[1])),
        tuple(dict.fromkeys((*a.notes, *b.notes, *code_a.notes, *code_b.notes))),
    )


def _result_differences(a: RunRecord, b: RunRecord) -> Iterable[Difference]:
    pairs: list[tuple[str, object, object]] = [("status", a.status, b.status)]
    for name in ("test", "validation"):
        of_a, of_b = (getattr(run, name) for run in (a, b))
        pairs += [
            (f"{name}.{key}", getattr(of_a, key, None), getattr(of_b, key, None))
            for key in ("accuracy", "loss", "images")
        ]
    # The last weights are mostly those that were tested.
    is_told = all(run.result.get("last_weights_sha256") == run.weights for run in (a, b))
    keys = RESULTS[:-1] if is_told else RESULTS
    pairs += [(key, a.result.get(key), b.result.get(key)) for key in keys]
    return (Difference(*each) for each in pairs if not is_same(each[1], each[2]))


def _missing(run: RunRecord, trail: Trail | None) -> tuple[str, ...]:
    sections = unrecorded(run.environment) if run.environment else ["environment.json"]
    files = [] if run.config else ["config.yaml"]
    return (*files, *sections, *(() if trail and trail.losses else ("trail.bin",)))


def verdict_of(found: RunDifference) -> tuple[str, str]:
    """The verdict in two or three words, and as a sentence."""
    curves, weights = found.curves, found.same_weights
    if curves and curves.step is not None:
        return "curves part", _parting_sentence(curves)
    if curves is None:
        verdict = "no curves", "The curves cannot be compared: one of the runs recorded none."
    elif curves.last_steps[0] != curves.last_steps[1]:
        short, long = sorted(zip(curves.last_steps, "AB", strict=True))
        same = "equal as far as both go" if curves.same_until else "of no common step"
        verdict = (
            "same so far",
            (
                f"The curves are {same}: {short[1]} ends at step {short[0]:,}, {long[1]} at step"
                f" {long[0]:,}."
            ),
        )
    elif found.results or not weights:
        but = "the results differ" if found.results else "one of the runs has no result"
        verdict = (
            "results differ" if found.results else "no result",
            (f"The curves of {counted(curves.last_steps[0], 'step')} are equal, but {but}."),
        )
    elif curves.source == "trail.bin":
        return "same bits", (
            "The two runs are equal bit for bit: every loss that was kept of"
            f" {counted(curves.last_steps[0], 'step')}, the weights and the scores."
        )
    else:
        return "same weights", (
            "The two runs have the same weights, bit for bit, and the same scores and records in"
            " metrics.jsonl; a trail.bin in both would tell of each step."
        )
    if weights:
        return verdict[0], f"{verdict[1]} The tested weights are equal bit for bit."
    return verdict


def _parting_sentence(curves: Curves) -> str:
    step = f"The curves part at step {curves.step:,}"
    if curves.source != "trail.bin":
        before = (
            f"the records up to step {curves.same_until:,} are equal"
            if curves.same_until
            else "no record before it is equal"
        )
        return (
            f"{step} or earlier: that is the first record of metrics.jsonl that differs, and"
            f" {before}. Only a trail.bin in both runs tells the step itself."
        )
    what = "its loss differs"
    if curves.what == "weights":
        later = f", the loss from step {curves.value_step:,} on" if curves.value_step else ""
        what = f"the weights after it differ{later}"
    if not curves.same_until:
        return f"{step}, the first: {what}."
    return (
        f"{step}: {what}; all that was kept up to step {curves.same_until:,} is equal bit for bit."
    )


def parts_sentence(found: RunDifference) -> str:
    """Which of settings, environment and code are equal, and what differs in the others."""
    parts = {
        "settings": [each.key for each in found.settings if each.matters],
        "environment": [each.key for each in found.environment],
        "code": list(found.code),
    }
    equal = [name for name, keys in parts.items() if not keys]
    differ = [
        f"{name} {'differ' if name == 'settings' else 'differs'} in {_named(keys)}"
        for name, keys in parts.items()
        if keys
    ]
    if equal:
        names = ", ".join(equal[:-1]) + (" and " if len(equal) > 1 else "") + equal[-1]
        plural = len(equal) > 1 or equal == ["settings"]
        recorded = " as far as recorded" if any(found.not_recorded) else ""
        differ.append(f"{names} {'are' if plural else 'is'} equal{recorded}")
    sentence = "; ".join(differ)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _named(keys: Sequence[str]) -> str:
    more = len(keys) - MOST_NAMED
    named = [key if len(key) <= LONGEST else f"{key[:LONGEST]}…" for key in keys[:MOST_NAMED]]
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")
