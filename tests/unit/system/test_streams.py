"""A command does not die of what it cannot print, and says so at its end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pathlib import Path
from mnist_trainer.cli.exit import exit_codes
with exit_codes("mnist-eval"):
    for number in range(10000):
        print("numbers")
    print("more", file=sys.stderr)
    Path("done").touch()
    %s
"""
NEEDS_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")


def run(redirection: str, folder: Path, last: str = "pass") -> tuple[int, list[str]]:
    """Exit code and lines on standard error, of a program whose output the shell redirects."""
    ended = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -c "$1" {redirection}', sys.executable, PROGRAM % last],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert (folder / "done").exists()
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stderr.splitlines()


@pytest.mark.parametrize("redirection", [">&-", pytest.param("> /dev/full", marks=NEEDS_FULL)])
@pytest.mark.parametrize("last", ["pass", "sys.exit()"])
def test_lost_output_is_told_at_the_end(redirection: str, last: str, tmp_path: Path) -> None:
    code, said = run(redirection, tmp_path, last)
    assert code == 6
    assert said[0] == "more"
    assert said[1].startswith("mnist-eval: what it prints cannot be written: ")


@pytest.mark.parametrize("redirection", ["2>&-", pytest.param("2> /dev/full", marks=NEEDS_FULL)])
def test_without_standard_error_a_command_goes_on(redirection: str, tmp_path: Path) -> None:
    assert run(redirection, tmp_path) == (0, [])


@pytest.mark.parametrize(
    "redirection", [">&- 2>&-", pytest.param("> /dev/full 2> /dev/full", marks=NEEDS_FULL)]
)
def test_without_any_output_the_exit_code_says_it(redirection: str, tmp_path: Path) -> None:
    assert run(redirection, tmp_path) == (6, [])


def test_a_file_does_not_take_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    code, _ = run(
        "<&- >&- 2>&-", tmp_path, "open('result', 'w').write('1'); import os; os.write(1, b'x')"
    )
    assert code == 6
    assert (tmp_path / "result").read_text() == "1"


def test_a_reader_that_has_gone_ends_nothing_early(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM % "pass"],
        cwd=tmp_path,
        stdout=writing,
        stderr=subprocess.PIPE,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, b"more\n")
    assert (tmp_path / "done").exists()
