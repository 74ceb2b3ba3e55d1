"""Links of the documentation: each leads somewhere, and each page is found from the index."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
LINK = re.compile(r"""\]\(([^)#\s]+)(?:#[^)]*)?\)|(?:src|srcset|href)="([^"#]+)""")


def links(page: Path) -> set[Path]:
    """The files that a page links to."""
    code = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
    text = code.sub("", page.read_text(encoding="utf-8"))
    found = {match[1] or match[2] for match in LINK.finditer(text)}
    return {(page.parent / link).resolve() for link in found if "://" not in link}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    missing = [path for path in links(page) if not path.exists()]
    assert not missing


def test_every_page_is_found_from_the_index() -> None:
    seen, todo = set(), {DOCS / "README.md"}
    while todo:
        seen |= todo
        todo = {link for page in todo for link in links(page) if link.suffix == ".md"} - seen
    orphans = [page for page in PAGES if page.is_relative_to(DOCS) and page not in seen]
    assert not orphans
    assert DOCS / "README.md" in links(ROOT / "README.md")


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120
