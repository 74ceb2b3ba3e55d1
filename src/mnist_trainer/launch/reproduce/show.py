"""What a user sees of a reproduction, and reproduction.json, which keeps it."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mnist_trainer.compute.environment import describe_environment
from mnist_trainer.launch.command import ResolvedCommand
from mnist_trainer.launch.reproduce.outcome import Comparison, Outcome
from mnist_trainer.launch.reproduce.verdict import Judgement, Verdict
from mnist_trainer.report.analysis.differences import (
    ENVIRONMENT,
    SOURCE,
    Difference,
    environment_differences,
    source_differences,
    unrecorded,
)
from mnist_trainer.runs.folder import RunFolder, display_path
from mnist_trainer.system.console import fit, printable
from mnist_trainer.system.files import write_json

if TYPE_CHECKING:
    from mnist_trainer.compute.device import Device

WIDTH = 12
MAX_SHOWN = 12
"""Differences of the machines that are printed; reproduction.json has all."""
COMPARED = {*ENVIRONMENT, *SOURCE} - {"data_sha256", "git_revision"}


def show_differences(original: Outcome, command: ResolvedCommand, device: "Device") -> None:
    """Print, before anything is trained, what differs from the original's machine and settings."""
    _print("original", display_path(original.folder.path))
    differences = machine_differences(original.environment, describe_environment(device, {}))
    lines = [_difference(each) for each in differences]
    if not lines:
        lines = ["versions, processor, threads, variables and code are those of the original"]
    if len(lines) > MAX_SHOWN:
        lines = [*lines[:MAX_SHOWN], f"... and {len(lines) - MAX_SHOWN} more"]
    if missing := COMPARED.intersection(unrecorded(original.environment)):
        lines.append(f"not recorded by that version: {', '.join(sorted(missing))}")
    if original.trail is None:
        lines.append("no trail of losses in that folder: compared by what was logged")
    _print("machine", *lines)
    for note in command.notes:
        _print("note", note)


def machine_differences(there: Any, here: Any) -> list[Difference]:
    """What differs between two machines and their code, of what both environments record.

    The data are compared when they are read.
    """
    both = [{k: v for k, v in each.items() if k in COMPARED} for each in (there, here)]
    return [*environment_differences(*both), *source_differences(*both)]


def _difference(each: Difference) -> str:
    there, here = ("not there" if value is None else value for value in (each.a, each.b))
    return f"{each.key}: {there} there, {here} here"


def show_judgement(
    original: Outcome, again: Outcome, judgement: Judgement, changes: Sequence[str]
) -> None:
    """Print the verdict and what it rests on."""
    if changes:
        _print("comparison", f"with other settings: {' '.join(changes)}")
    _print("verdict", f"{judgement.verdict}: {judgement.because}")
    if lines := parting_lines(judgement.comparison):
        _print("parting", *lines)
    if rounding := judgement.rounding:
        _print(
            "rounding",
            f"losses differ by {rounding.found:.3g} at that step, those of a twin with reversed"
            f" batches by {rounding.twin:.3g}",
        )
    lines = [
        f"{test.name} {test.value:.6g}; of a further seed {test.low:.6g} to {test.high:.6g}, by"
        f" {test.seeds} runs"
        for test in judgement.tests
    ]
    if lines:
        _print("seeds", *lines)
    there, here = original.final(), again.final()
    lines = [f"{n}: {there[n]:.6g} there, {here[n]:.6g} here" for n in there if n in here]
    _print("result", *(lines or ["the original did not come to its end"]))


def parting_lines(comparison: Comparison) -> list[str]:
    """Where two runs part, a sentence for each kind of evidence."""
    lines, parting = [], comparison.parting
    if parting and parting.losses:
        there, here = parting.losses
        until = (
            f"equal until step {parting.same_until}"
            if parting.same_until
            else "not equal at any step"
        )
        lines.append(
            f"losses at step {parting.step}: {there.hex()} there, {here.hex()} here; {until}"
        )
    if parting and parting.weights_step:
        lines.append(f"weights after step {parting.weights_step}: their digests differ")
    if comparison.first_logged:
        key, a, b = comparison.first_logged
        lines.append(f"logged {key}: {a.hex()} there, {b.hex()} here")
    return lines


def show_summary(verdicts: Sequence[tuple[RunFolder, Verdict]]) -> None:
    """Print the verdicts on the runs of a sweep."""
    print()
    for folder, verdict in verdicts:
        print(printable(f"{verdict:<24} {display_path(folder.path)}"))
    counts = {each: [v for _, v in verdicts].count(each) for each in Verdict}
    print(f"{len(verdicts)} runs: {', '.join(f'{n} {each}' for each, n in counts.items() if n)}")


def write_reproduction(
    folder: RunFolder,
    original: Outcome,
    again: Outcome,
    judgement: Judgement,
    changes: Iterable[str],
) -> None:
    """Write reproduction.json into the folder of the new run."""
    comparison, rounding = judgement.comparison, judgement.rounding
    parting, logged = comparison.parting, comparison.first_logged
    values = {
        "original": str(original.folder.path),
        "original_weights_sha256": original.result.get("weights_sha256"),
        "verdict": judgement.verdict,
        "because": judgement.because,
        "exit_code": int(judgement.verdict.exit_code),
        "changes": list(changes),
        "compared": {
            "losses": comparison.num_losses,
            "digests": comparison.num_digests,
            "logged": comparison.num_logged,
            "weights_equal": comparison.weights_equal,
        },
        "parting": parting
        and {
            "step": parting.step,
            "losses": parting.losses and [loss.hex() for loss in parting.losses],
            "same_until": parting.same_until,
            "weights_step": parting.weights_step,
        },
        "first_logged": logged
        and {"record": vars(logged[0]), "values": [value.hex() for value in logged[1:]]},
        "rounding": rounding and {**vars(rounding), "ratio": rounding.ratio},
        "seeds": [vars(test) for test in judgement.tests],
        "machine": [vars(e) for e in machine_differences(original.environment, again.environment)],
    }
    write_json(folder.reproduction, values)


def _print(name: str, *lines: str) -> None:
    for index, line in enumerate(lines):
        head = f"{name}:" if index == 0 else ""
        print(fit(printable(f"{head:<{WIDTH}} {line}")), flush=True)
