"""R21, R22: names of runs stay inside the output folder, and no two runs share one."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import Command
from tests.integration.test_faults import TINY, is_short


@pytest.mark.parametrize("name", ["..", "...", '" x"', '"a\\0b"'])
def test_a_name_that_is_none_is_refused(name: str, mnist_train: Command, tmp_path: Path) -> None:
    ended = mnist_train(*TINY, f"name={name}")
    if ended.code == 0:  # "\\0" is two characters to Hydra, and both are made harmless.
        assert len(list((tmp_path / "outputs").glob("20*/*/result.json"))) == 1
    else:
        assert ended.code == 2, ended.err
        assert is_short(ended)
        assert not list(tmp_path.glob("outputs/20*/*"))


@pytest.mark.parametrize(
    "name",
    ["../../../escaped", "/escaped", "x" * 300, "CON", "数字"],
    ids=["up", "absolute", "long", "device", "CJK"],
)
def test_every_other_name_stays_inside(name: str, mnist_train: Command, tmp_path: Path) -> None:
    ended = mnist_train(*TINY, "trainer.epochs=1", f"name={name}", LC_ALL="C")
    assert ended.code == 0, ended.err
    (result,) = tmp_path.rglob("result.json")
    assert result.parents[2] == tmp_path / "outputs"
    assert not Path("/escaped").exists()


def test_eight_runs_in_one_second_get_eight_folders(data_root: Path, tmp_path: Path) -> None:
    words = [*TINY, "trainer.epochs=1", f"data.root={data_root}"]
    # Started as one, they reach the claim as close together as can be.
    program = (
        "import os, sys\nfrom mnist_trainer.cli.train import run_command\nimport"
        f" mnist_trainer.training.run, time\nwords = {words!r}\nchildren = []\nfor _ in range(8):\n"
        "    child = os.fork()\n    if child == 0:\n        run_command(words,"
        " time.perf_counter())\n        sys.stdout.flush()\n        os._exit(0)\n   "
        " children.append(child)\nsys.exit(any(os.waitpid(child, 0)[1] for child in children))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=200
    )
    assert ended.returncode == 0, ended.stderr
    assert len(list((tmp_path / "outputs").glob("20*/*/result.json"))) == 8
