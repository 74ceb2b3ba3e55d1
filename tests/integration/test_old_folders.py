"""Run folders of version 0.1, as it wrote them, work with every command of this version.

The run: ``cnn``, 2 epochs, with transforms, optimizer, scheduler and loss other than the defaults.
The sweep: 4 jobs over ``optimizer.lr`` and ``seed``.
"""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mnist_trainer.data.images import DataSet
from mnist_trainer.inference.loading import load_run
from mnist_trainer.runs.checkpoint import weights_sha256
from tests.integration.conftest import QUICK, Command

pytestmark = pytest.mark.integration
OLD = Path(__file__).parents[1] / "data" / "version_0_1"
CLI = "mnist_trainer.cli"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD / "run", tmp_path / "run"))


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD / "sweep", tmp_path / "sweep"))


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def test_an_old_run_resumes(mnist_train: Command, run: Path) -> None:
    old = read(run / "result.json")
    weights = load_run(run, device="cpu").model.state_dict()
    assert weights_sha256(weights) == old["weights_sha256"]

    ended = mnist_train("resume=run", "trainer.epochs=3", "device=cpu")
    assert ended.code == 0, ended.err
    result = read(run / "result.json")
    assert (result["status"], result["epochs"]) == ("completed", 3)
    assert result["resumed_from"] == f"last.pt, step {old['steps']}"
    later = ("protocol", "throughput")
    assert [key for key in result if key not in later] == list(old)


def test_an_old_run_of_all_its_epochs_is_left_as_it_is(mnist_train: Command, run: Path) -> None:
    before = (run / "result.json").read_bytes()
    ended = mnist_train("resume=run")
    assert ended.code == 0, ended.err
    assert "2 epochs, test accuracy 12.00 %" in ended.out + ended.err
    assert (run / "result.json").read_bytes() == before


def test_mnist_eval_gives_the_recorded_accuracy(mnist_train: Command, run: Path) -> None:
    ended = mnist_train("run", "--no-figures", module=f"{CLI}.eval", on_data=False)
    assert ended.code == 0, ended.err
    old, new = read(run / "result.json")["test"], read(run / "evaluation.json")
    assert (new["accuracy"], new["images"]) == (old["accuracy"], old["images"])
    assert new["loss"] == pytest.approx(old["loss"], rel=1e-6)


def test_mnist_predict_reads_an_old_run(mnist_train: Command, run: Path, mnist: DataSet) -> None:
    Image.fromarray(mnist.test.images[0, 0].numpy()).save(run.parent / "digit.png")
    ended = mnist_train("run", "digit.png", module=f"{CLI}.predict", on_data=False)
    assert ended.code == 0, ended.err
    assert "digit.png" in ended.out


@pytest.mark.parametrize("form", ["html", "safetensors"])
def test_mnist_export_reads_an_old_run(mnist_train: Command, run: Path, form: str) -> None:
    ended = mnist_train("run", f"--format={form}", module=f"{CLI}.export", on_data=False)
    assert ended.code == 0, ended.err
    assert (run / "export" / f"model.{form}").stat().st_size > 8_000


@pytest.mark.parametrize("name", ["run", "sweep"])
def test_mnist_report_reads_old_folders(
    mnist_train: Command, run: Path, sweep: Path, name: str
) -> None:
    ended = mnist_train(name, "--html", "page.html", module=f"{CLI}.report", on_data=False)
    assert ended.code == 0, ended.err
    assert "12.00" in (run.parent / "page.html").read_text() or name == "sweep"
    shown = mnist_train(name, module=f"{CLI}.report", on_data=False)
    assert shown.code == 0, shown.err
    assert ("4 runs (4 completed)" if name == "sweep" else "12.00") in shown.out


def test_an_old_sweep_runs_no_job_again(mnist_train: Command, sweep: Path) -> None:
    words = shlex.split(read(sweep / "sweep.json")["command"])[1:]
    results = {path: path.read_bytes() for path in sweep.glob("*/*") if path.is_file()}
    assert words[-1] == "hydra.sweep.dir=sweep"
    ended = mnist_train(*words[:-1], f"hydra.sweep.dir={sweep}")
    assert ended.code == 0, ended.err
    assert "already finished: 4 of 4 jobs (#0, #1, #2, #3)" in ended.out + ended.err
    rows = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert "1 0.1 2 41.50 ± 17.68 % 51.50 ± 10.61 % 0.1 s done" in rows
    assert "2 0.01 2 14.00 ± 5.66 % 14.50 ± 2.12 % 0.2 s done" in rows
    assert {path: path.read_bytes() for path in results} == results


def test_a_user_config_with_old_target_names_trains(mnist_train: Command, tmp_path: Path) -> None:
    for group, content in {
        "loss": "_target_: mnist_trainer.losses.Poly1\nepsilon: 2.0\n",
        "model": "_target_: mnist_trainer.models.Linear\ninit: default\n",
        "scheduler": "_target_: mnist_trainer.schedulers.Cosine\nfinal_fraction: 0\n"
        "warmup_epochs: 0\n",
    }.items():
        (tmp_path / "mine" / group).mkdir(parents=True)
        (tmp_path / "mine" / group / "old.yaml").write_text(content)
    words = ("loss=old", "model=old", "scheduler=old")
    ended = mnist_train("--config-dir", "mine", *words, *QUICK, "hydra.run.dir=new")
    assert ended.code == 0, ended.err
    assert read(tmp_path / "new" / "result.json")["status"] == "completed"
