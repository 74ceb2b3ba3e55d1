"""``mnist-train reproduce=RUN``: train a finished run once more, and say whether it came out the
same."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from mnist_trainer.config.engine_rules import device_for
from mnist_trainer.errors import (
    ConfigError,
    DataError,
    ExitCode,
    InterruptedRunError,
    MachineError,
    UnjudgedError,
    UserError,
)
from mnist_trainer.launch.command import ResolvedCommand, resolve_command
from mnist_trainer.launch.options import CommandLine, path_override
from mnist_trainer.launch.reproduce.original import Originals, unjudged
from mnist_trainer.launch.reproduce.outcome import Outcome, read_outcome
from mnist_trainer.launch.reproduce.rounding import Rounding, measure_rounding
from mnist_trainer.launch.reproduce.seeds import other_seeds, train_seeds
from mnist_trainer.launch.reproduce.show import (
    show_differences,
    show_judgement,
    show_summary,
    write_reproduction,
)
from mnist_trainer.launch.reproduce.verdict import Evidence, Verdict, judge
from mnist_trainer.launch.single import run_single
from mnist_trainer.runs.config_hash import is_unhashed
from mnist_trainer.runs.folder import RunFolder, display_path, refuse_used_folder
from mnist_trainer.runs.trail import Parting

if TYPE_CHECKING:
    from mnist_trainer.compute.device import Device

MIN_SEEDS = 3
"""Other seeds that the verdict wants, besides the original."""


def run_reproductions(command: ResolvedCommand, originals: Originals, started: float) -> NoReturn:
    """Train each run that ``reproduce=`` names once more, print the verdicts, and exit.

    Args:
        command: of the first one.

    Raises:
        SystemExit: with the exit code of the worst verdict.
        UserError: of the kind that says what went wrong.
    """
    _check_places(command, originals)
    verdicts = []
    for folder in originals.folders:
        verdicts.append(_verdict_on(command, folder, started, alone=not originals.is_sweep))
        started = time.perf_counter()
    if originals.is_sweep:
        show_summary(list(zip(originals.folders, verdicts, strict=True)))
    codes = {verdict.exit_code for verdict in verdicts}
    worst = (ExitCode.DIFFERENT, ExitCode.UNJUDGED, ExitCode.OK)
    sys.exit(next(code for code in worst if code in codes))


def _check_places(command: ResolvedCommand, originals: Originals) -> None:
    """Raise ``ConfigError`` for a folder that the new run cannot have."""
    if originals.is_sweep and command.typed_folder("hydra.run.dir"):
        raise ConfigError(
            "hydra.run.dir: one folder cannot hold the runs of a whole sweep. Leave it out, or name"
            f" one of its runs: reproduce={display_path(originals.first.path)}"
        )
    resumption, run_dir = command.resumption, command.typed_folder("hydra.run.dir")
    if resumption and resumption.folder in originals.folders:
        raise ConfigError(
            "resume=, reproduce=: both name the same run, and nothing is written to an original."
            " Leave out resume=."
        )
    if run_dir and not resumption:
        refuse_used_folder(run_dir)


def _verdict_on(
    command: ResolvedCommand, folder: RunFolder, started: float, *, alone: bool
) -> Verdict:
    """Train one run once more; of several a missing one does not stop the others."""
    try:
        if command.originals and folder != command.originals.first:
            words = [word for word in command.line.overrides if not word.startswith("reproduce=")]
            words.append(path_override("reproduce", folder.path))
            command = resolve_command(replace(command.line, overrides=words))
        return _Reproduction(command, folder).run(started)
    except UnjudgedError as error:
        if alone:
            raise
        print(f"mnist-train: {error}", file=sys.stderr)
        return Verdict.UNJUDGED


@dataclass(frozen=True)
class _Reproduction:
    """One run that is trained once more."""

    command: ResolvedCommand
    original: RunFolder

    def run(self, started: float) -> Verdict:
        import torch

        from mnist_trainer.compute.device import unchanged_threads

        original = read_outcome(self.original)
        if not original.has_losses:
            raise unjudged(self.original, "it holds no losses: it ended before its first log point")
        with unchanged_threads():
            # Sums are split over the threads, so that their number changes the bits.
            if self.command.config.device.threads is None and (threads := _threads_of(original)):
                torch.set_num_threads(threads)
            folder = self._train(original, started)
            again = read_outcome(folder)
            judgement = judge(original, again, self._evidence(original, again))
        write_reproduction(folder, original, again, judgement, self.changes)
        show_judgement(original, again, judgement, self.changes)
        return judgement.verdict

    @property
    def changes(self) -> list[str]:
        """The typed words that make another run of it, so that the verdict is a comparison."""
        keys = ((word.partition("=")[0].lstrip("+~"), word) for word in self.command.line.overrides)
        return [word for key, word in keys if key != "hydra.run.dir" and not is_unhashed(key)]

    def _train(self, original: Outcome, started: float) -> RunFolder:
        """Train, once what differs of the machine is shown."""
        with self._missing_named(ConfigError, MachineError):
            device = self._device()
        show_differences(original, self.command, device)
        with self._missing_named(ConfigError, DataError), _goes_on_to_compare(self.original):
            return run_single(self.command, started)

    def _device(self) -> "Device":
        from mnist_trainer.compute.device import select_device

        config = self.command.config
        return select_device(device_for(config.trainer.engine, config.device))

    @contextmanager
    def _missing_named(self, *missing: type[UserError]) -> Iterator[None]:
        """Say that the run cannot be judged where data, code or a device of it are missing; for
        what was typed besides, the error stays as it is.

        Args:
            missing: errors that tell of it.
        """
        try:
            yield
        except missing as error:
            if self.changes or isinstance(error, UnjudgedError):
                raise
            raise unjudged(self.original, str(error)) from error

    def _evidence(self, original: Outcome, again: Outcome) -> Evidence:
        config = self.command.config

        def rounding(parting: Parting) -> Rounding | None:
            here = again.trail.losses if again.trail else {}
            return measure_rounding(config, self._device(), parting, here)

        def seeds() -> list[Outcome]:
            found = other_seeds(original)
            missing = min(MIN_SEEDS, int(config.plain["reproduce_seeds"])) - len(found)
            if missing > 0 and original.result:
                seconds = original.result.get("seconds") or {}
                print(
                    f"Training {missing} more seeds of the original, to know their spread: about"
                    f" {missing * float(seconds.get('total') or 0):.0f} s ...",
                    flush=True,
                )
                used = [original.config.get("seed"), again.config.get("seed")]
                used += [run.config.get("seed") for run in found]
                recipe = resolve_command(self._unchanged_line()).config
                place = again.folder.path / "seeds"
                found += train_seeds(recipe, self._device(), used, missing, place)
            return found

        return Evidence(rounding, seeds)

    def _unchanged_line(self) -> CommandLine:
        """The command line of the original itself, without what was typed besides."""
        return replace(
            self.command.line, overrides=[path_override("reproduce", self.original.path)]
        )


def _threads_of(original: Outcome) -> int | None:
    cpu = original.environment.get("cpu")
    threads = cpu.get("threads") if isinstance(cpu, dict) else None
    return threads if isinstance(threads, int) and 0 < threads <= 1024 else None


@contextmanager
def _goes_on_to_compare(original: RunFolder) -> Iterator[None]:
    """Add to the message of a stopped run how to come to a verdict all the same."""
    try:
        yield
    except InterruptedRunError as error:
        raise InterruptedRunError(
            f"{error} {path_override('reproduce', original.path)}", int(error.exit_code) - 128
        ) from error
