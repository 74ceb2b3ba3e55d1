"""Text that any terminal can show."""

import io

from mnist_trainer.system.console import printable


def test_unencodable_characters_become_question_marks() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert printable("5 ± 1", stream) == "5 ? 1"


def test_encodable_text_is_unchanged() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    assert printable("5 ± 1", stream) == "5 ± 1"


def test_control_characters_are_written_out() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    text = "\x1b]0;title\x07\r\x9b31m\u202egnp.exe"
    assert printable(text, stream) == r"\x1b]0;title\x07\r\x9b31m\u202egnp.exe"
    assert printable("a\tb\nc", stream) == "a\tb\nc"
