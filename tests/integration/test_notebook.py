"""The first hour, as a notebook: it runs, its outputs are stored, and it is small."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "first_hour.ipynb"

pytestmark = pytest.mark.integration


def test_the_notebook_runs_in_a_fresh_process(data_root: Path, tmp_path: Path) -> None:
    kept = tmp_path / NOTEBOOK.name
    kept.write_bytes(NOTEBOOK.read_bytes())
    ended = subprocess.run(
        [sys.executable, str(ROOT / "notebooks" / "execute.py"), str(kept), "--write"],
        cwd=tmp_path,
        env={**os.environ, "MNIST_TRAINER_SMALL": "1", "XDG_CACHE_HOME": str(data_root.parent)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    now, stored = (json.loads(path.read_text(encoding="utf-8")) for path in (kept, NOTEBOOK))
    assert [kinds(cell) for cell in now["cells"]] == [kinds(cell) for cell in stored["cells"]]
    assert [cell["source"] for cell in now["cells"]] == [cell["source"] for cell in stored["cells"]]


def kinds(cell: dict[str, object]) -> list[object]:
    """The types of a cell's outputs, in order."""
    outputs = cell.get("outputs", [])
    assert isinstance(outputs, list)
    return [output["output_type"] for output in outputs]


def test_the_stored_notebook_is_valid_small_and_names_no_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    notebook = json.loads(text)
    assert len(text) < 300_000
    assert (notebook["nbformat"], len({cell["id"] for cell in notebook["cells"]})) == (
        4,
        len(notebook["cells"]),
    )
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert sum("image/png" in output.get("data", {}) for c in code for output in c["outputs"]) == 4
    for cell in code:
        for output in cell["outputs"]:
            output.get("data", {}).pop("image/png", None)
    assert not re.search(r"/(tmp|work|home|root|usr)\b", json.dumps(notebook))
