"""``mnist-report`` on runs that were really trained."""

import csv
import io
import json
import math
import os
from functools import partial
from pathlib import Path

import pytest

from tests.integration.conftest import QUICK, Command

pytestmark = pytest.mark.integration
WITHOUT_TORCH = """import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
"""


@pytest.fixture
def report(mnist_train: Command) -> Command:
    """Run ``mnist-report`` with the words, in ``tmp_path``."""
    return partial(mnist_train, module="mnist_trainer.cli.report", on_data=False)


def test_from_training_to_every_form_of_report(
    mnist_train: Command, report: Command, tmp_path: Path
) -> None:
    sweep = ("-m", "model=linear,two_layer", "seed=0,1", "sweep=s", *QUICK)
    assert mnist_train(*sweep).code == 0
    shown = report("outputs/multirun/s")
    assert shown.code == 0, shown.err
    assert "4 runs (4 completed), 2 groups over seeds" in shown.out
    rows = list(csv.DictReader(io.StringIO(report("outputs/multirun/s", "--csv").out)))
    results = [
        json.loads(path.read_text())
        for path in sorted((tmp_path / "outputs/multirun/s").glob("*/result.json"))
    ]
    assert [float(row["test_accuracy"]) for row in rows] == [
        result["test"]["accuracy"] for result in results
    ]
    assert [row["model"] for row in rows] == ["linear", "linear", "two_layer", "two_layer"]

    ended = report("outputs/multirun/s", "--html", "--markdown", "s.md", "--json", "s.json")
    assert ended.code == 0, ended.err
    assert ended.out.count("written: ") == 3
    groups = json.loads((tmp_path / "s.json").read_text())["groups"]
    assert [group["rank"] for group in groups] == [1, 2]
    assert (tmp_path / "s.md").read_text().startswith("# s\n")

    # One run: its worst mistakes are MNIST's own pictures.
    page = report("outputs/latest", "--html", "-")
    assert page.code == 0, page.err
    assert page.out.count("data:image/png") == 24
    # One folder that holds two recipes is clear.
    compared = report("outputs/multirun/s", "--compare", "--json")
    assert compared.code == 0, compared.err
    assert json.loads(compared.out)["verdict"] in ("distinguishable", "not distinguishable")

    # Nothing needs torch.
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "sitecustomize.py").write_text(WITHOUT_TORCH)
    path = f"{tmp_path / 'without'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    for words in (
        ("outputs/latest",),
        ("outputs/multirun/s", "--html"),
        ("outputs/multirun/s", "--compare"),
    ):
        plain = report(*words, PYTHONPATH=path)
        assert plain.code == 0, plain.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nowhere",), 2, "nowhere: there is no such folder"),
        ((".",), 2, "holds no run"),
        ((), 2, "no folder was named"),
        (("a", "b", "--compare", "--diff"), 2, "--diff: not allowed with argument --compare"),
        ((".", "--wrong"), 2, "--wrong"),
        (("--help",), 0, "mnist-report A B --compare"),
        (("--version",), 0, "mnist-report"),
    ],
)
def test_mistakes_and_questions(
    words: tuple[str, ...], code: int, said: str, report: Command
) -> None:
    ended = report(*words)
    assert ended.code == code
    assert said in (ended.err if code else ended.out)
    assert "Traceback" not in ended.err


def test_two_runs_of_one_command_and_what_tells_them_apart(
    mnist_train: Command, report: Command, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        train = ("model=linear", "seed=1", f"hydra.run.dir=outputs/{name}", *QUICK)
        assert mnist_train(*train).code == 0
    shown = report("outputs/a", "latest", "--diff")
    assert shown.code == 0, shown.err
    assert "The two runs are equal bit for bit: every loss that was kept of 10 steps" in shown.out
    assert "Settings, environment and code are equal." in shown.out

    # The loss of step 7 differs in its last bit, and one setting differs: no torch is needed.
    a, b = (tmp_path / "outputs" / name for name in "ab")
    trail = (b / "trail.bin").read_bytes()
    place = 8 + 16 * 6
    changed = bytes([trail[place] ^ 1])
    (b / "trail.bin").write_bytes(trail[:place] + changed + trail[place + 1 :])
    config = b / "config.yaml"
    config.write_text(config.read_text().replace("seed: 1\n", "seed: 2\n"))
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "sitecustomize.py").write_text(WITHOUT_TORCH)
    path = f"{tmp_path / 'without'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    words = ("outputs/a", "outputs/b", "--diff", "--json", "-", "--html", "d.html")
    ended = report(*words, PYTHONPATH=path)
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    curves = found["results"]["curves"]
    assert (found["verdict"], curves["parting_step"], curves["same_until"]) == ("curves part", 7, 6)
    of_a, of_b = (float.fromhex(text) for text in curves["hexadecimal"])
    assert math.nextafter(of_a, of_b) == of_b
    assert [each["key"] for each in found["settings"]] == ["seed"]
    assert found["environment"] == found["code"]["differences"] == []
    assert "The curves part at step 7" in (tmp_path / "d.html").read_text()

    # Without the trails of a later version, the records of metrics.jsonl are equal.
    (a / "trail.bin").unlink()
    older = report("outputs/a", "outputs/b", "--diff", "--markdown")
    assert "A does not record trail.bin" in older.out
    assert "have the same weights, bit for bit" in older.out
