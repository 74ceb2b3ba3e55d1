"""The page of a passport, also of one that somebody else has written."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from mnist_trainer.errors import DataError
from mnist_trainer.report.analysis.passport_comparison import compare_passports
from mnist_trainer.report.analysis.passport_findings import find
from mnist_trainer.report.read.json_values import JsonValues
from mnist_trainer.report.read.passport import read_passport
from mnist_trainer.report.render.document import Paragraph, Table
from mnist_trainer.report.render.html import page
from mnist_trainer.report.render.passport_comparison_document import passport_comparison_document
from mnist_trainer.report.render.passport_document import passport_document
from tests.unit.report.passports import passport

EVIL = '<script>alert("x")</script>\x1b[31m'


def complete() -> dict[str, Any]:
    values = passport()
    values["findings"] = [finding.as_json() for finding in find(values)]
    return values


def test_thresholds_and_results_are_on_the_page() -> None:
    document = passport_document(JsonValues(complete()))
    blocks = {block.caption: block for section in document.sections for block in section.blocks
              if isinstance(block, Table)}  # fmt: skip
    assert {row[1] for row in blocks["Checks"].rows} == {"ok"}
    assert any("3 x the spread of equal work" in row[1] for row in blocks["What is allowed"].rows)
    text = page(document)
    assert text.count("<svg") == 3
    assert "Made by mnist-passport" in text


def test_an_alarm_comes_first() -> None:
    values = complete()
    values["findings"][0]["advice"] = "Do that."
    verdict = passport_document(JsonValues(values)).sections[0]
    assert isinstance(verdict.blocks[0], Paragraph)
    assert verdict.blocks[0].text.startswith("1 alarm")
    assert "Do that." in getattr(verdict.blocks[1], "text", "")


def mutated(value: Any, source: random.Random) -> Any:
    """The values of a passport with some replaced by others of any type."""
    if source.random() < 0.08:
        return source.choice([None, EVIL, -1, 0, 1e300, 1e-300, True, [], {}, [[1]], {"a": EVIL}])
    if isinstance(value, dict):
        return {key: mutated(each, source) for key, each in value.items()}
    if isinstance(value, list):
        return [mutated(each, source) for each in value]
    return value


@pytest.mark.parametrize("seed", range(12))
def test_any_values_make_a_page_without_markup_of_their_own(seed: int) -> None:
    foreign = JsonValues(mutated(complete(), random.Random(seed)))  # noqa: S311
    compared = compare_passports(foreign, JsonValues(complete()), (EVIL, "b"))
    documents = [passport_document(foreign), passport_comparison_document(compared)]
    # Drawing takes the longest, so it is done for some.
    for text in [page(each) for each in documents[seed % 4 != 0 :]]:
        assert "<script>alert" not in text
        assert "\x1b" not in text


def test_what_is_no_passport_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    for text in ("[]", '{"format": "other"}', "{", '{"a": NaN}'):
        path.write_text(text)
        with pytest.raises(DataError):
            read_passport(path)
    path.write_text(json.dumps(complete()))
    assert read_passport(path).text("machine", "processor", "name") == "Some Processor"
