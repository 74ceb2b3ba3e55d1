"""Texts that differ, as unified diffs of bounded length."""

import subprocess
from pathlib import Path

from mnist_trainer.report.analysis.text_difference import (
    MAX_FILES,
    MAX_LENGTH,
    MAX_LINES,
    text_differences,
)


def test_equal_texts_are_left_out_and_others_say_who_has_them() -> None:
    a = {"same": "x", "changed": "1\n2\n3", "mine": "only\nhere"}
    b = {"same": "x", "changed": "1\nzwei\n3", "theirs": "there"}
    found = text_differences(a, b, "config_files/")
    assert [(each.name, each.where) for each in found] == [
        ("config_files/changed", "both"),
        ("config_files/mine", "A"),
        ("config_files/theirs", "B"),
    ]
    assert found[0].lines == ("@@ -1,3 +1,3 @@", " 1", "-2", "+zwei", " 3")
    assert found[1].lines == ("only", "here")
    assert not any(each.is_cut for each in found)


def test_the_lines_turn_one_text_into_the_other(tmp_path: Path) -> None:
    a = "".join(f"line {number}\n" for number in range(60))
    b = a.replace("line 7\n", "").replace("line 30\n", "line 30\nmore\n").replace("59", "end")
    (found,) = text_differences({"x": a}, {"x": b}, "")
    (tmp_path / "x").write_text(a)
    patch = "--- x\n+++ x\n" + "\n".join(found.lines) + "\n"
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch.encode(), check=True)
    assert (tmp_path / "x").read_text() == b


def test_long_texts_are_cut_and_say_so() -> None:
    long = "\n".join(f"line {number}" for number in range(10 * MAX_LINES))
    wide = "x" * (2 * MAX_LENGTH)
    for a, b in ((long, long.upper()), (None, long), (wide, "y"), ("y", wide)):
        of_a, of_b = ({} if text is None else {"x": text} for text in (a, b))
        (found,) = text_differences(of_a, of_b, "")
        assert found.is_cut
        assert len(found.lines) <= MAX_LINES
        assert max(map(len, found.lines)) <= MAX_LENGTH


def test_of_very_many_files_only_the_names_are_told() -> None:
    many = {str(number): "text" for number in range(MAX_FILES + 3)}
    found = text_differences({}, many, "")
    assert len(found) == len(many)
    assert [bool(each.lines) for each in found[-4:]] == [True, False, False, False]
