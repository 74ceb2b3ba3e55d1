"""The page: complete in itself, safe with any name, and readable without seeing it."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from mnist_trainer.report.read.discovery import find_runs
from mnist_trainer.report.render.document import (
    Document,
    Gallery,
    Listing,
    Matrix,
    Mistake,
    Paragraph,
    Section,
    Table,
)
from mnist_trainer.report.render.html import page
from mnist_trainer.report.render.markdown import markdown
from mnist_trainer.report.render.run_document import run_document
from mnist_trainer.report.render.sweep_document import sweep_document
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
    for tag, attributes in reader.elements:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base"), tag
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "xlink:href", "action"):
                assert (value or "").startswith(("#", "data:image/png")), value
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
    assert "<script" not in sweep_page
    assert "\x1b" not in sweep_page
    assert '<script>alert("x")</script>' in read(sweep_page).text


def test_figures_have_text_alternatives(sweep_page: str) -> None:
    reader = read(sweep_page)
    pictures = [attributes for tag, attributes in reader.elements if tag == "svg"]
    assert len(pictures) == 4
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
    assert "<script" not in html
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
