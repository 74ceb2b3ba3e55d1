"""docs/configuration.md is what its generator writes."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def test_configuration_page_is_up_to_date() -> None:
    written = runpy.run_path(str(DOCS / "make_configuration.py"))["page"]()
    assert (DOCS / "configuration.md").read_text(encoding="utf-8") == written, (
        "run: python docs/make_configuration.py"
    )
