"""docs/gradients.md is what its generator writes."""

import math
import re
import runpy
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"
NUMBER = re.compile(r"\b\de[+-]\d\d\b")


def test_gradients_page_is_up_to_date() -> None:
    written = runpy.run_path(str(DOCS / "make_gradients.py"))["page"]()
    kept = (DOCS / "gradients.md").read_text(encoding="utf-8")
    assert NUMBER.sub("#", kept) == NUMBER.sub("#", written), "run: python docs/make_gradients.py"
    pairs = list(
        zip(map(float, NUMBER.findall(kept)), map(float, NUMBER.findall(written)), strict=True)
    )
    assert len(pairs) > 60
    for old, new in pairs:
        # These are roundings, of which another machine makes others; a wrong formula would show
        # eight digits earlier.
        assert abs(math.log10(max(old, 1e-16)) - math.log10(max(new, 1e-16))) < 2, (
            "run: python docs/make_gradients.py"
        )
