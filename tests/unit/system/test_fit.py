"""Text is wrapped at words where a terminal shows it."""

import io
import os

import pytest

from mnist_trainer.system.console import fit
from mnist_trainer.training.tracking.epoch_table import WIDTHS, columns_left_out
from mnist_trainer.training.tracking.terminal import is_watched

TEXT = "#0 model=fcn seed=0: validation 94.44 %, test 94.99 %  [1 of 6 jobs, about 2 min 44 s left]"


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_words_stay_whole_and_lines_fit(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((width, 24)))
    lines = fit(TEXT, Screen()).splitlines()
    assert all(len(line) <= width for line in lines)
    assert " ".join(lines).split() == TEXT.split()


def test_a_command_stays_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((40, 24)))
    command = "mnist-train -m model=linear,fcn optimizer.lr=0.01,1e38 sweep=rates"
    lines = fit(f"3 of 6 jobs are done, and some have failed. Go on with: {command}", Screen())
    assert lines.splitlines()[-1].strip() == command


def test_what_is_no_terminal_is_not_wrapped() -> None:
    assert fit(TEXT * 3, io.StringIO()) == TEXT * 3


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_a_row_of_the_epochs_fits(width: int) -> None:
    left_out = columns_left_out(width)
    shown = [each for place, each in enumerate(WIDTHS) if place not in left_out]
    assert sum(shown) + len("  best") < width
    assert {0, 2, 3, 4}.isdisjoint(left_out)
    assert left_out == set() or width < 100


@pytest.mark.parametrize(("name", "value", "watched"), [
    ("NO_COLOR", "1", True), ("TERM", "dumb", False), ("CI", "1", False), ("FORCE_COLOR", "1", True)
])  # fmt: skip
def test_no_color_takes_away_colours_not_bars(
    name: str, value: str, watched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("CI", "NO_COLOR", "TERM", "FORCE_COLOR"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setattr("sys.stdout", Screen())
    monkeypatch.setenv(name, value)
    assert is_watched() is watched
