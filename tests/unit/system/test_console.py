"""Text that any terminal can show."""

import io

from mnist_trainer.system.console import printable


def test_unencodable_characters_become_question_marks() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert printable("5 ± 1", stream) == "5 ? 1"


def test_encodable_text_is_unchanged() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    assert printable("5 ± 1", stream) == "5 ± 1"
