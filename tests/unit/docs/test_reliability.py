"""The page of promises names tests that exist."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
PAGE = TESTS.parent / "docs" / "reliability.md"
ROWS = [row for row in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| R\d", row)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_named_tests_exist(row: str) -> None:
    for part in row.split("|")[5].split(";"):
        paths = [TESTS / name for name in re.findall(r"`((?:unit|integration)/[\w/]+\.py)`", part)]
        assert paths
        code = "".join(path.read_text(encoding="utf-8") for path in paths)
        for word in re.findall(r"\b[a-z0-9]+(?:_[a-z0-9]+)+\b", re.sub(r"`[^`]*`", "", part)):
            assert re.search(rf"def test_\w*{word}", code), f"{word} is not in {paths}"
