"""mnist-eval --card and mnist-report on cards, as a user starts them."""

import json
from pathlib import Path

import pytest

from mnist_trainer.runs.checksums import changed_files
from mnist_trainer.runs.folder import RunFolder
from tests.integration.conftest import QUICK, Command

pytestmark = pytest.mark.integration
EVAL, REPORT = "mnist_trainer.cli.eval", "mnist_trainer.cli.report"


def test_a_card_of_two_parts(mnist_train: Command, tmp_path: Path) -> None:
    assert mnist_train(*QUICK, "model=linear", "hydra.run.dir=run").code == 0
    run = RunFolder(tmp_path / "run")
    words = ("run", "--card", "quick", "--parts", "clean,shifts")
    ended = mnist_train(*words, module=EVAL, on_data=False)
    assert ended.code == 0, ended.err
    card = json.loads(run.card.read_text())
    result = json.loads(run.result.read_text())
    assert card["format"] == "mnist-eval card 1"
    assert card["effort"] == "quick"
    assert card["checkpoint"]["weights_sha256"] == result["weights_sha256"]
    assert list(card["parts"]) == ["clean", "shifts"]
    assert card["parts"]["clean"]["correct"] == result["test"]["correct"]
    # All 200 test images are shifted: the middle of the map is the run's own test.
    assert card["parts"]["shifts"]["shift_map"][4][4] == result["test"]["accuracy"]
    figures = {path.name for path in (run.path / "figures").iterdir()}
    assert figures == {"evaluation-card-shifts.png", "evaluation-card-rotations.png"}
    assert len(list((run.path / "evaluation-card").glob("events.out.tfevents.*"))) == 1
    page = (run.path / "evaluation-card.html").read_text()
    assert page.count("<svg") == 2
    assert "mean over shifts" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 160
    assert changed_files(run) == []
    run.card.write_text(run.card.read_text() + " ")
    assert any("evaluation-card.json" in change for change in changed_files(run))
    again = mnist_train(*words, "--json", "--no-figures", module=EVAL, on_data=False)
    repeated = json.loads(again.out)
    assert repeated["parts"] == card["parts"]
    reported = mnist_train("run", module=REPORT, on_data=False)
    assert "Evaluation card" in reported.out
    assert "mean over rotations" in reported.out


def test_an_unknown_part_is_answered_before_anything_is_read(mnist_train: Command) -> None:
    words = ("nowhere", "--card", "--parts", "clean,shfts")
    ended = mnist_train(*words, module=EVAL, on_data=False)
    assert ended.code == 2
    assert "Did you mean shifts?" in ended.err
