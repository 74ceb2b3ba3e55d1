"""The exercises of docs/foundations: the checker tells right answers from wrong ones."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOUNDATIONS = Path(__file__).parents[3] / "docs" / "foundations"
ANSWERS = (FOUNDATIONS / "answers.py").read_text(encoding="utf-8")
LISTED = dict(
    re.findall(r"^\| (\d\w) \| `(\w+)\(", (FOUNDATIONS / "exercises.md").read_text(), re.MULTILINE)
)


def verdicts(path: Path) -> tuple[int, dict[str, str]]:
    """Exit code of the checker, and what it says of each exercise."""
    command = [sys.executable, str(FOUNDATIONS / "check_answers.py"), str(path)]
    ended = subprocess.run(command, capture_output=True, text=True)
    return ended.returncode, dict(line.split("  ", 1) for line in ended.stdout.splitlines())


def test_the_answers_are_right_and_every_exercise_has_one() -> None:
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
def test_a_wrong_answer_is_told(number: str, right: str, wrong: str, tmp_path: Path) -> None:
    assert ANSWERS.count(right) == 1
    (tmp_path / "mine.py").write_text(ANSWERS.replace(right, wrong))
    code, said = verdicts(tmp_path / "mine.py")
    assert code == 1
    assert said[number].startswith(f"wrong: {LISTED[number]}(")


def test_a_missing_answer_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def count_right(a, b):\n    raise ValueError('x')\n")
    code, said = verdicts(tmp_path / "mine.py")
    assert code == 1
    assert said["1a"].endswith("raises ValueError: x")
    assert said["1b"] == "no function centre_columns in mine.py"
