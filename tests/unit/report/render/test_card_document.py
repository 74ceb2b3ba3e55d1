"""The page of an evaluation card, also of one that somebody else has written."""

import json
import random
from typing import Any

import numpy as np
import pytest

from mnist_trainer.report.read.card import Measure, measures, read_card
from mnist_trainer.report.read.json_values import JsonValues
from mnist_trainer.report.read.records import read_run
from mnist_trainer.report.render.card_document import card_document
from mnist_trainer.report.render.card_figures import FIGURES, card_figures
from mnist_trainer.report.render.document import Bitmap, Picture, Table
from mnist_trainer.report.render.html import page
from mnist_trainer.report.render.markdown import markdown
from mnist_trainer.report.render.raster import PALETTE, pixels
from mnist_trainer.report.render.run_document import run_document
from tests.unit.report.cards import card
from tests.unit.report.conftest import MakeRun
from tests.unit.report.render.test_passport_document import EVIL, mutated

PICTURES = {"contact_sheet": np.zeros((8, 8, 3), np.uint8), "attacked": np.ones((8, 8), np.uint8)}


def by_key(found: list[Measure]) -> dict[tuple[str, str], Measure]:
    return {each.key: each for each in found}


def test_measures_stand_beside_what_was_published() -> None:
    found = by_key(measures(JsonValues(card())))
    mean = found["corruptions", "mean of all"]
    assert (mean.value, mean.interval) == (0.8, (0.7, 0.9))
    assert mean.published.number("value") == 0.78
    # What was published of an attack is of epsilon 0.3 alone.
    assert found["attacks", "PGD, epsilon 0.3"].published.number("value") == 0.925
    assert found["attacks", "PGD, epsilon 0.1"].published.number("value") is None
    assert ("attacks", "PGD, epsilon 0") not in found
    assert found["AUROC", "blank"].interval is None
    assert not found["calibration", "temperature"].is_share


def test_the_page_has_every_part() -> None:
    document = card_document(JsonValues(card()), PICTURES)
    blocks = [block for section in document.sections for block in section.blocks]
    assert sum(isinstance(block, Picture) for block in blocks) == len(FIGURES)
    assert sum(isinstance(block, Bitmap) for block in blocks) == 2
    tables = {block.caption: block for block in blocks if isinstance(block, Table)}
    assert ("947", "8", "9", "70.0 %", "otherwise") in tables["Images with a disputed label"].rows
    text = page(document)
    assert text.count("<svg") == len(FIGURES)
    assert text.count("data:image/png;base64,") == 2
    assert "QMNIST: not in the cache" in text
    assert "Made by mnist-eval" in text
    assert "mean of all" in markdown(document)


def test_masked_gradients_come_first() -> None:
    values = card()
    values["parts"]["attacks"]["masked"] = "the softmax is saturated"
    document = card_document(JsonValues(values), {})
    first = [getattr(block, "text", "") for block in document.sections[0].blocks]
    assert any("does not show that this network is robust" in text for text in first)


def test_parts_that_were_left_out_leave_no_gap() -> None:
    values = card()
    values["parts"] = {"clean": values["parts"]["clean"]}
    document = card_document(JsonValues(values), {})
    titles = [section.title for section in document.sections]
    assert titles == ["Summary", "Disputed images", "How it was made"]
    assert card_figures(JsonValues(values)) == {}


@pytest.mark.parametrize("seed", range(10))
def test_any_values_make_a_page_without_markup_of_their_own(seed: int) -> None:
    foreign = JsonValues(mutated(card(), random.Random(seed)))  # noqa: S311
    text = page(card_document(foreign, {}))
    assert "<script>alert" not in text
    assert "\x1b" not in text


def test_a_run_with_a_card_shows_it(make_run: MakeRun) -> None:
    folder = make_run("one")
    titles = [each.title for each in run_document(read_run(folder), with_images=False).sections]
    assert "Evaluation card" not in titles
    path = folder / "evaluation-card.json"
    cards: list[tuple[Any, bool]] = [(card("other"), False), (card("one-0"), True), ([], False)]
    for values, shown in cards:
        path.write_text(json.dumps(values))
        document = run_document(read_run(folder), with_images=False)
        assert ("Evaluation card" in [each.title for each in document.sections]) is shown


def test_what_is_no_card_is_none() -> None:
    others: list[object] = [None, [], {}, {"format": "other"}, {"format": EVIL}]
    for values in others:
        assert read_card(values) is None
    assert read_card(card()) is not None


def test_pixels_have_the_colours_of_the_page() -> None:
    def draw(figure: Any) -> None:
        from mnist_trainer.report.render.svg import SERIES

        figure.set_size_inches(2, 2)
        axes = figure.subplots()
        axes.bar([0], [1], color=SERIES[1])

    drawn = pixels(draw)
    wanted = [int(PALETTE["#020101"][place : place + 2], 16) for place in (1, 3, 5)]
    assert (drawn == wanted).all(axis=2).mean() > 0.2
    # None of the placeholders, which are nearly black, is left over.
    assert not (drawn < 8).all(axis=2).any()


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_in_pixels(name: str) -> None:
    drawn = pixels(card_figures(JsonValues(card()))[name])
    assert drawn.ndim == 3
    assert not (drawn < 8).all(axis=2).any()
    assert (drawn == 255).all(axis=2).mean() > 0.1
