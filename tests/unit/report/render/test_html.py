"""The page: complete in itself, safe with any name, and readable without seeing it."""

import base64
import hashlib
import json
import os
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from mnist_trainer.report.read.discovery import find_runs
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.report.render.document import (
    Document,
    Gallery,
    Listing,
    Matrix,
    Mistake,
    Paragraph,
    Section,
    Table,
    headline,
)
from mnist_trainer.report.render.html import page
from mnist_trainer.report.render.markdown import markdown
from mnist_trainer.report.render.run_document import run_document
from mnist_trainer.report.render.sweep_document import sweep_document
from mnist_trainer.runs.film import Film, FilmImages, Snapshot, write_film
from tests.browser import browser, find_browser
from tests.unit.report.conftest import MakeRun

EVIL = '<script>alert("x")</script>|`$x$`\x1b[31m&amp;'
VOID = {"meta", "img", "br", "link", "input", "path", "use", "rect"}


class Reader(HTMLParser):
    """Notes every element, and those that are not closed in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


@pytest.fixture
def sweep_page(make_run: MakeRun, tmp_path: Path) -> str:
    """Two models, two rates, two seeds, one of them failed, with names like markup."""
    for number in range(8):
        settings = {"model": f"m{number % 2}{EVIL}", "optimizer.lr": number // 2 % 2}
        failed = {"status": "failed", "error": EVIL} if number == 7 else None
        make_run(
            f"s/{number}",
            seed=number // 4,
            settings=settings,
            validation=0.8 + 0.01 * number,
            test=None if failed else 0.9,
            result=failed,
        )
    return page(sweep_document(find_runs(str(tmp_path / "s")), EVIL))


def test_page_is_self_contained(sweep_page: str) -> None:
    reader = read(sweep_page)
    scripts = re.findall(r"<script>(.*?)</script>", sweep_page, flags=re.DOTALL)
    assert [attributes for tag, attributes in reader.elements if tag == "script"] == [{}]
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'\"" in sweep_page, "this script and no other"
    for tag, attributes in reader.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base"), tag
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "xlink:href", "action"):
                assert (value or "").startswith(("#", "data:image/png", "./")), value
    assert not re.search(
        r"url\((?!#)|@import|https?:", re.sub(r"<pre>.*?</pre>", "", sweep_page, flags=re.DOTALL)
    )
    assert "default-src 'none'" in sweep_page
    assert "prefers-color-scheme: dark" in sweep_page


def test_page_is_well_formed(sweep_page: str) -> None:
    reader = read(sweep_page)
    assert reader.wrong == []
    assert reader.open == []
    ids = Counter(attributes["id"] for _, attributes in reader.elements if "id" in attributes)
    assert [name for name, count in ids.items() if count > 1] == []
    asked = {
        str(a[k])[1:]
        for _, a in reader.elements
        for k in ("href", "xlink:href")
        if str(a.get(k, "")).startswith("#")
    }
    asked |= set(re.findall(r"url\(#([^)]+)\)", sweep_page))
    assert asked <= ids.keys()


def test_no_name_becomes_markup(sweep_page: str) -> None:
    assert sweep_page.count("<script") == 1
    assert "\x1b" not in sweep_page
    assert '<script>alert("x")</script>' in read(sweep_page).text


def test_figures_have_text_alternatives(sweep_page: str) -> None:
    reader = read(sweep_page)
    pictures = [attributes for tag, attributes in reader.elements if tag == "svg"]
    assert len(pictures) == 5
    assert all(
        picture["role"] == "img" and len(picture["aria-label"] or "") > 30 for picture in pictures
    )
    counts = Counter(tag for tag, _ in reader.elements)
    assert counts["caption"] == counts["table"] > 2
    assert all(attributes.get("scope") for tag, attributes in reader.elements if tag == "th")
    assert (counts["h1"], counts["h2"]) == (1, 6)
    assert dict(reader.elements)["html"]["lang"] == "en"


def test_placeholder_colors_are_replaced(sweep_page: str) -> None:
    assert not re.search(r"#0[123]0[01]0", sweep_page)
    assert "var(--series-0)" in sweep_page
    assert "var(--level-4)" in sweep_page


def blocks() -> Document:
    image = np.zeros((28, 28), np.uint8)
    mistakes = (Mistake(7, EVIL, "b", 0.5, image), Mistake(8, "a", "b", 0.4, None))
    parts = (
        headline(EVIL, EVIL),
        Paragraph(EVIL, strong=True),
        Table(EVIL, ("what", EVIL), ((EVIL, "1"),), frozenset({1}), EVIL),
        Matrix("confusion", (EVIL, "b"), np.array([[5, 2], [0, 9]])),
        Gallery("worst", mistakes),
        Listing("config", f"a: 1\n```\n{EVIL}"),
    )
    return Document(EVIL, EVIL, (Section(EVIL, parts),))


def test_every_block_in_html() -> None:
    html = page(blocks())
    reader = read(html)
    assert (reader.wrong, reader.open) == ([], [])
    assert html.count("<script") == 1
    (image,) = [attributes for tag, attributes in reader.elements if tag == "img"]
    assert "test image 7" in (image["alt"] or "")
    assert (image["src"] or "").startswith("data:image/png;base64,iVBOR")
    assert "a: 1\n```" in reader.text


def test_every_block_in_markdown() -> None:
    text = markdown(blocks())
    assert "\x1b" not in text
    before, fence, after = text.partition("````yaml")
    assert fence, "a listing that holds a fence has a longer one"
    assert "<script" not in before.replace("\\<script", "")
    rows = [line for line in before.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} <= {3, 4, 5}
    assert after.rstrip().endswith("````")


def test_a_run_with_its_mistakes(make_run: MakeRun, tmp_path: Path) -> None:
    (run,) = find_runs(str(make_run("run", test=0.98)))
    html = page(run_document(run, with_images=True))
    reader = read(html)
    assert (reader.wrong, reader.open) == ([], [])
    assert "The 20 of 20 mistakes" in html
    assert "not those of the run" in html, (
        "made-up labels are not those of MNIST, so no picture may stand beside them"
    )
    assert html.count('class="right"') == 10


def test_marks_of_a_figure_tell_their_values(make_run: MakeRun, tmp_path: Path) -> None:
    (run,) = find_runs(str(make_run("run")))
    titles = re.findall(r"<use [^>]*><title>([^<]*)</title></use>", page_of(run))
    epochs = [point for point in run.metrics if point.kind == "epoch"]
    assert sum(title.startswith("train, epoch ") for title in titles) == 2 * len(
        [point for point in epochs if point.split == "train"]
    )
    first = next(point for point in epochs if point.split == "validation")
    assert f"validation, epoch {first.epoch}: accuracy {100 * (first.accuracy or 0):.4g}" in titles


def test_text_of_a_mark_is_no_markup(make_run: MakeRun, tmp_path: Path) -> None:
    for seed in (0, 1):
        make_run(f"s/{seed}", seed=seed, settings={"model": f"{EVIL}\udcff{seed}"})
    html = page(sweep_document(find_runs(str(tmp_path / "s")), "s"))
    assert html.count("<script") == 1
    assert read(html).wrong == []
    assert "<title>" in html


def page_of(run: RunRecord) -> str:
    return page(run_document(run, with_images=False))


def test_layers_classes_and_calibration_are_shown_where_they_are_known(make_run: MakeRun) -> None:
    folder = make_run("run", test=0.98)
    layer = {"name": "a", "kind": "Linear", "output_shape": [10], "parameters": 7850, "macs": 7840}
    (folder / "layers.json").write_text(json.dumps({"layers": [layer, 3, {"kind": []}]}))
    (run,) = find_runs(str(folder))
    bins = [{"confidence": 0.7, "accuracy": 0.6, "images": 10}, {"images": 0}]
    evaluation = {
        "checkpoint": {"weights_sha256": run.weights},
        "calibration": bins,
        "expected_calibration_error": 0.01,
    }
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    (run,) = find_runs(str(folder))
    text = read(page_of(run)).text
    assert "98.00 % test accuracy, 95 % interval" in " ".join(text.split())
    assert "In all 7,850 parameters, 7,840 multiply-adds" in text
    assert "Accuracy by class" in text
    assert "Expected calibration error 1.00 percentage points" in text
    evaluation["checkpoint"] = {"weights_sha256": "of another checkpoint"}
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    (run,) = find_runs(str(folder))
    assert "Calibration" not in read(page_of(run)).text


def test_a_film_is_listed_and_a_damaged_one_told(make_run: MakeRun) -> None:
    folder = make_run("run", test=0.98)
    images = FilmImages("validation", np.arange(4, dtype=np.int32), np.zeros(4, np.uint8))
    made = Snapshot(
        step=7,
        loss=0.5,
        filters=np.ones((2, 3, 3), np.float32),
        predicted=np.array([0, 0, 0, 1], np.uint8),
        activations=np.eye(4, dtype=np.float16),
    )
    write_film(folder / "film.npz", Film(images, 10, (made,), None).projected())
    (run,) = find_runs(str(folder))
    text = read(page_of(run)).text
    assert "Snapshots in film.npz, of the same 4 validation images" in text
    assert "75.00 %" in text
    (folder / "film.npz").write_bytes(b"damaged")
    assert "film.npz: cannot be read as a film" in read(page_of(run)).text


def test_runs_are_linked_to_their_reports_or_folders(make_run: MakeRun, tmp_path: Path) -> None:
    for name in ("a:b <c>", "1"):
        make_run(f"s/{name}", seed=len(name))
    (tmp_path / "s" / "1" / "report.html").write_text("")
    html = page(sweep_document(find_runs(str(tmp_path / "s")), "s", tmp_path / "s" / "sub"))
    found = {str(attributes["href"]) for tag, attributes in read(html).elements if tag == "a"}
    links = {link for link in found if not link.startswith("#")}
    assert links == {"./../1/report.html", "./../a%3Ab%20%3Cc%3E/"}


@pytest.mark.skipif(
    find_browser() is None and os.environ.get("MNIST_TRAINER_REQUIRE_ALL") != "1",
    reason="no browser",
)
def test_a_click_on_a_heading_sorts_a_table(tmp_path: Path) -> None:
    rows = (("b", "9.5 s"), ("a", "2.0 min"), ("c", "-"), ("d", "30.0 s"))
    table = Table("t", ("name", "time"), rows, frozenset({1}))
    (tmp_path / "page.html").write_text(page(Document("t", "t", (Section("t", (table,)),))))
    click = "document.querySelectorAll('th button')[{}].click()"
    names = "[...document.querySelectorAll('tbody th')].map(each => each.textContent).join('')"
    with browser(find_browser() or "chromium") as tab:
        tab.open(tmp_path / "page.html")
        seen = []
        for column in (0, 0, 1, 1):
            tab.value(click.format(column))
            seen.append(tab.value(names))
    assert seen == ["abcd", "dcba", "bdac", "adbc"], "a row without a value stays last"
