"""mnist-eval and mnist-export as a user starts them."""

import json
from pathlib import Path

import pytest

from mnist_trainer.runs.folder import RunFolder
from tests.conftest import Compose
from tests.integration.conftest import QUICK, Command
from tests.saved_runs import SMALL, save_run

pytestmark = pytest.mark.integration
EVAL, EXPORT = "mnist_trainer.cli.eval", "mnist_trainer.cli.export"


@pytest.fixture
def saved(compose: Compose, data_root: Path, tmp_path: Path) -> RunFolder:
    return save_run(
        compose(*SMALL, f"data.root={data_root}", "model=fcn"),
        tmp_path / "runs" / "one",
        is_best=True,
    )


def test_a_run_is_scored_as_it_scored_itself(mnist_train: Command, tmp_path: Path) -> None:
    assert mnist_train(*QUICK, "hydra.run.dir=run").code == 0
    metrics = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    ended = mnist_train("run", module=EVAL, on_data=False)
    assert ended.code == 0, ended.err
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    evaluation = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert evaluation["correct"] == result["test"]["correct"]
    assert evaluation["loss"] == pytest.approx(result["test"]["loss"], rel=1e-6)
    assert evaluation["accuracy_interval_95"] == result["test"]["accuracy_interval_95"]
    assert sum(map(sum, evaluation["confusion_matrix"])) == result["test"]["images"]
    assert "the same as the run's own test" in ended.out
    names = {
        path.name.removeprefix("evaluation-") for path in (tmp_path / "run" / "figures").iterdir()
    }
    assert names == {
        "confusion_matrix.png",
        "reliability.png",
        "classes.png",
        "mistakes.png",
        "filters.png",
    }
    board = tmp_path / "run" / "evaluation"
    assert len(list(board.glob("events.out.tfevents.*"))) == 1
    assert (
        len(
            next(board.glob("*/last_features/*/tensors.tsv"), next(board.glob("**/tensors.tsv")))
            .read_text()
            .splitlines()
        )
        == 200
    )
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == metrics


def test_each_split_and_checkpoint_has_a_file_of_its_own(
    mnist_train: Command, saved: RunFolder
) -> None:
    ended = mnist_train(
        str(saved.path),
        "--split=validation",
        "--checkpoint=last",
        "--json",
        "--no-figures",
        module=EVAL,
        on_data=False,
    )
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["images"] == 50
    assert json.loads((saved.path / "evaluation-validation-last.json").read_text()) == json.loads(
        ended.out
    )
    assert not (saved.path / "evaluation.json").exists()


@pytest.mark.parametrize(
    ("module", "words", "code", "said"),
    [
        (EVAL, ["runs/one", "--splt=train"], 2, "Did you mean --split?"),
        (EVAL, ["runs/one", "--split=exam"], 2, "test"),
        (EVAL, ["runs"], 2, "runs/one"),
        (EVAL, ["run/one"], 2, "Did you mean runs?"),
        (EVAL, ["runs/one", "--checkpoint=seventh"], 4, "This run has: best.pt, last.pt"),
        (EVAL, ["runs/one", "--data=emnist_letters", "--no-figures"], 2, "it has 26 classes"),
        (EVAL, ["runs/one", "--output=runs/one/config.yaml"], 6, "--output DIR"),
        (EXPORT, ["runs/one"], 2, "--format"),
        (EXPORT, ["runs/one", "--format=pickle"], 2, "onnx"),
        (EXPORT, ["runs/one", "--format=onnx", "--output=model.pt"], 2, "model.onnx"),
        (
            EXPORT,
            ["runs/one", "--format=onnx", "--output=runs/one/config.yaml/model.onnx"],
            6,
            "--output PATH",
        ),
    ],
)
def test_mistakes_are_answered_at_once(
    mnist_train: Command, saved: RunFolder, module: str, words: list[str], code: int, said: str
) -> None:
    ended = mnist_train(*words, module=module, on_data=False)
    assert (ended.code, said in ended.err, "Traceback" in ended.err) == (code, True, False), (
        ended.err
    )
    assert len(ended.err.splitlines()) <= 10


def test_an_export_says_what_it_checked_and_leaves_nothing_where_it_cannot(
    mnist_train: Command, saved: RunFolder
) -> None:
    ended = mnist_train(
        str(saved.path), "--format=onnx", "--output=digits.onnx", module=EXPORT, on_data=False
    )
    assert ended.code == 0, ended.err
    assert "largest difference from PyTorch" in ended.out
    assert ended.err == ""
    (saved.checkpoints / "best.pt").write_bytes(b"no zip file")
    broken = mnist_train(str(saved.path), "--format=safetensors", module=EXPORT, on_data=False)
    assert broken.code == 4
    assert "last.pt" in broken.err
    assert not (saved.path / "export").exists()
