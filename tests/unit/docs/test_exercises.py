"""The exercises of docs/foundations: the checker tells right answers from wrong ones."""

import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FOUNDATIONS = Path(__file__).parents[3] / "docs" / "foundations"
ANSWERS = (FOUNDATIONS / "answers.py").read_text(encoding="utf-8")
LISTED = dict(
    re.findall(r"^\| (\d\w) \| `(\w+)\(", (FOUNDATIONS / "exercises.md").read_text(), re.MULTILINE)
)

Verdicts = Callable[[Path], tuple[int, dict[str, str]]]


@pytest.fixture
def verdicts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Verdicts:
    """Exit code of the checker, and what it says of each exercise."""

    def check(path: Path) -> tuple[int, dict[str, str]]:
        checker = str(FOUNDATIONS / "check_answers.py")
        monkeypatch.setattr(sys, "argv", [checker, str(path)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(checker, run_name="__main__")
        said = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
        return int(ended.value.code or 0), said

    return check


def test_the_answers_are_right_and_every_exercise_has_one(verdicts: Verdicts) -> None:
    code, said = verdicts(FOUNDATIONS / "answers.py")
    assert code == 0
    assert set(said.values()) == {"right"}
    assert said.keys() == LISTED.keys()


@pytest.mark.parametrize(
    ("number", "right", "wrong"),
    [
        ("1a", "argmax(dim=1)", "argmin(dim=1)"),
        ("1b", "x.mean(dim=0)", "x.mean(dim=1, keepdim=True)"),
        ("1c", ".float()", ".long()"),
        ("1d", ".sqrt()", ""),
        ("2a", "slope.item()", "2 * slope.item()"),
        ("2b", "x -= rate", "x += rate"),
        ("2c", "return total", "return total / len(portions)"),
        ("3a", "dz * b, dz * a", "dz * a, dz * b"),
        ("3b", "dz.sum(dim=0)", "dz.sum(dim=0, keepdim=True)"),
        ("5a", "(z > 0)", "(z >= 0)"),
        ("5b", "dy = 2 *", "dy ="),
    ],
)
def test_a_wrong_answer_is_told(
    number: str, right: str, wrong: str, verdicts: Verdicts, tmp_path: Path
) -> None:
    assert ANSWERS.count(right) == 1
    (tmp_path / "mine.py").write_text(ANSWERS.replace(right, wrong))
    code, said = verdicts(tmp_path / "mine.py")
    assert code == 1
    assert said[number].startswith(f"wrong: {LISTED[number]}(")


def test_a_missing_answer_is_told(verdicts: Verdicts, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def count_right(a, b):\n    raise ValueError('x')\n")
    code, said = verdicts(tmp_path / "mine.py")
    assert code == 1
    assert said["1a"].endswith("raises ValueError: x")
    assert said["1b"] == "no function centre_columns in mine.py"
