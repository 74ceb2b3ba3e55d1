"""R37: whatever is typed, a command line is understood or refused, and nothing is left behind."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

from mnist_trainer.cli import eval as eval_command
from mnist_trainer.cli import export, predict, report
from mnist_trainer.cli.arguments import typed_words
from mnist_trainer.errors import ExitCode, UserError
from mnist_trainer.launch.command import resolve_command
from mnist_trainer.launch.options import delegate_to_hydra, parse_command_line
from mnist_trainer.runs.folder import safe_name
from tests.command_lines import command_lines

ANSWERS = (ExitCode.CONFIG, ExitCode.CHECKPOINT, ExitCode.ENVIRONMENT)


def understand(words: Sequence[str]) -> None:
    """All that ``mnist-train`` does with a command line before it claims a folder."""
    line = parse_command_line(words)
    command = resolve_command(line)
    safe_name(command.config.label)
    if line.inspects:
        delegate_to_hydra()


COMMANDS: tuple[Callable[[Sequence[str]], object], ...] = (
    understand,
    eval_command.parse,
    export.parse,
    predict.parse,
    report.parse,
)


def problem_with(
    words: list[str], command: Callable[[Sequence[str]], object], monkeypatch: pytest.MonkeyPatch
) -> str | None:
    """What a command does wrong with a command line; None where it runs or is refused."""
    monkeypatch.setattr(sys, "argv", ["mnist-train", *words])
    try:
        command(typed_words())
    except SystemExit as ended:
        return None if ended.code in (None, 0, ExitCode.CONFIG) else f"exit code {ended.code}"
    except UserError as error:
        if error.exit_code not in ANSWERS:
            return f"exit code {error.exit_code}: {error}"
        return None if str(error).strip() else "an empty message"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def check_all(seed: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    problems = {}
    for number, words in enumerate(command_lines(seed, count)):
        for command in (COMMANDS[0], COMMANDS[1 + number % 4]):
            if problem := problem_with(words, command, monkeypatch):
                problems[f"{command.__module__} {words}"] = problem
    GlobalHydra.instance().clear()
    assert problems == {}
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("seed", range(3))
def test_a_fuzzed_command_line_is_answered(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_all(seed, 100, monkeypatch)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 110))
def test_ten_thousand_fuzzed_command_lines(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_all(seed, 1000, monkeypatch)
