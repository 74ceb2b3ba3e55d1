"""Words of the command line, and those that are made for it."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from mnist_trainer.launch.options import path_override, quote_value

ODD = (
    "a\\d",
    "a\\",
    'a\\"b',
    'a"b',
    "a\\\\b",
    'a\\\\"b',
    "a\\'b",
    "a\nb",
    "\\",
    "a=b,[c]",
    "\u00e4",
)


@pytest.mark.parametrize("text", ODD)
def test_a_path_comes_back_as_it_was(text: str) -> None:
    for word in (path_override("resume", Path(text)), quote_value(f"resume=~{text}")):
        value = OverridesParser.create().parse_override(word).value()
        assert str(value).removeprefix("~") == text
