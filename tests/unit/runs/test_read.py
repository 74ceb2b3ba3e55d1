"""Reading the files of a run folder: bounded, regular files only, plain values only."""

import json
import os
from pathlib import Path

import pytest

from mnist_trainer.errors import DataError
from mnist_trainer.runs.read import MAX_DEPTH, flatten, read_file, read_json, read_yaml

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert read_file(path, 3) == b"abc"
    with pytest.raises(DataError, match="3 bytes, more than the 2"):
        read_file(path, 2)


def test_a_link_to_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("file")
    assert read_file(tmp_path / "link", 3) == b"abc"


def test_a_fifo_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(DataError, match="not a regular file"):
        read_file(tmp_path / "fifo", 10)


@pytest.mark.parametrize("name", ["missing", ".", "nul\0"])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError):
        read_file(tmp_path / name, 10)


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, True, "x"]}, [], "text", 10**50])
def test_json_comes_back_as_written(tmp_path: Path, value: object) -> None:
    (tmp_path / "a.json").write_text(json.dumps(value))
    assert read_json(tmp_path / "a.json") == value


@pytest.mark.parametrize(
    "text",
    ["", "{", "NaN", "[1e400]", "-Infinity", "9" * 5000, "[" * 100_000, "[" * 100 + "]" * 100],
    ids=["empty", "cut", "nan", "1e400", "infinity", "5000 digits", "unclosed", "deep"],
)
def test_json_that_is_not_plain_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=r"a\.json: not valid JSON"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "[" * 200_000,
        "- " * 100_000 + "x",
        "a: " + "9" * 5000,
        "a: [",
        "!!python/object/apply:os.system [true]",
    ],
    ids=["aliases", "brackets", "sequences", "5000 digits", "cut", "python object"],
)
def test_yaml_that_is_not_plain_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(DataError, match=r"a\.yaml: not valid YAML"):
        read_yaml(tmp_path / "a.yaml")


def test_yaml_comes_back_as_written(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: {b: [1, 2.5, null, true, text]}\n")
    assert read_yaml(tmp_path / "a.yaml") == {"a": {"b": [1, 2.5, None, True, "text"]}}


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="not text in UTF-8"):
        read_yaml(tmp_path / "a.yaml")


def test_the_deepest_nesting_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert read_json(tmp_path / "a.json")


def test_flatten() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": [1]}}, "e": {}}) == {"a.b": 1, "a.c.d": [1], "e": {}}
