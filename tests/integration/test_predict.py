"""``mnist-predict`` as people use it."""

import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmarks.people_pictures import read_all
from benchmarks.photographs.plain import KINDS as PLAIN
from numpy.typing import NDArray
from PIL import Image

from mnist_trainer import load_run
from mnist_trainer.data.images import DataSet
from mnist_trainer.runs.calibration import Calibration, write_calibration
from mnist_trainer.runs.folder import RunFolder
from tests.forked_commands import Forks
from tests.integration.conftest import Ended

Predict = Callable[..., Ended]


@pytest.fixture(scope="module")
def run(forks: Forks, data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the quickest recipe: 99 % of the test images."""
    folder = tmp_path_factory.mktemp("runs") / "fast"
    words = ("experiment=fast99", "device=cpu", "tracker=none", f"data.root={data_root}")
    ended = forks.run("train", *words, f"hydra.run.dir={folder}", timeout=280)
    assert ended.code == 0, ended.err
    return folder


@pytest.fixture
def predict(forks: Forks, tmp_path: Path) -> Predict:
    """Run ``mnist-predict`` with the words, in ``tmp_path``: in a fork, or in a process of its own
    where it has standard input or variables."""

    def command(*words: str | Path, stdin: bytes = b"", **environment: str) -> Ended:
        if not (stdin or environment):
            return forks.run("predict", *map(str, words), cwd=tmp_path, timeout=120)
        started = time.perf_counter()
        ended = subprocess.run(
            [sys.executable, "-m", "mnist_trainer.cli.predict", *map(str, words)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
            input=stdin,
            capture_output=True,
            timeout=120,
        )
        seconds = time.perf_counter() - started
        return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode(), seconds)

    return command


def photograph(digits: NDArray[np.uint8]) -> Image.Image:
    """Digits (N, 28, 28) side by side, six times as large, dark on off-white."""
    row = np.concatenate(list(digits), axis=1)
    large = Image.fromarray(row).resize((row.shape[1] * 6, 168), Image.Resampling.BICUBIC)
    levels = 235 - 0.8 * np.pad(np.asarray(large, float), 30)
    return Image.fromarray(
        (levels + np.random.default_rng(0).normal(0, 2, levels.shape)).astype(np.uint8)
    )


def test_people_s_pictures_are_read(run: Path, mnist: DataSet) -> None:
    mistakes = [
        (reading.kind, reading.label, reading.failure, reading.logits.argmax())
        for kind in read_all(load_run(run), mnist.test, 6, 1, PLAIN)
        for reading in kind.failed
    ]
    total = 6 * len(PLAIN)
    assert total >= 60
    assert len(mistakes) <= 0.05 * total, mistakes


def test_probabilities_and_doubt_are_those_of_the_run_s_calibration(
    run: Path, predict: Predict, mnist: DataSet, tmp_path: Path
) -> None:
    image = mnist.test.images[0, 0].numpy()
    Image.fromarray(image).save(tmp_path / "digit.png")
    plain = load_run(run)
    logits = plain.logits(image)[0].double()
    for temperature, unsure_below, unsure in ((5.0, 1.0, True), (0.2, 0.5, False)):
        kept = tmp_path / f"run-{temperature}"
        shutil.copytree(run, kept)
        write_calibration(
            RunFolder(kept), Calibration(temperature, unsure_below, 9, plain.checkpoint.sha256)
        )
        document = json.loads(predict(kept, "digit.png", "--json").out)
        digit = document["pictures"][0]["digits"][0]
        assert document["calibration"] == {
            "temperature": temperature,
            "unsure_below": unsure_below,
        }
        expected = float((logits / temperature).softmax(dim=0).max())
        assert digit["probability"] == pytest.approx(expected, abs=1e-3)
        assert digit["unsure"] is unsure
        assert ("unsure" in predict(kept, "digit.png").out) is unsure


def test_what_cannot_be_used_is_named_and_the_others_are_read(
    run: Path, predict: Predict, mnist: DataSet, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    file = io.BytesIO()
    photograph(mnist.train.images[:1, 0].numpy()).save(file, "JPEG")
    content = file.getvalue()
    (folder / "good.jpg").write_bytes(content)
    (folder / "cut.jpg").write_bytes(content[: len(content) // 3])
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("not a picture")
    Image.new("1", (30000, 4000)).save(folder / "bomb.png")
    Image.new("L", (300, 200), 250).save(folder / "blank.png")
    Image.fromarray(mnist.train.images[0, 0].numpy()).save(folder / "zz_mnist.png")
    ended = predict(run, folder, "absent.png", "-", stdin=content, LC_ALL="C")
    assert ended.code == 2
    for name, problem in {
        "cut.jpg": "damaged or cut short",
        "empty.png": "empty",
        "text.png": "not a picture",
        "bomb.png": "too many",
        "blank.png": "no digit",
        "absent.png": "no such file",
    }.items():
        (line,) = [line for line in ended.err.splitlines() if f"{name}:" in line]
        assert problem in line
    assert "6 of 9 pictures" in ended.err
    assert "Traceback" not in ended.err
    label = str(int(mnist.train.labels[0]))
    for name in ("good.jpg", "zz_mnist.png", "standard input"):
        assert any(line.endswith(f"{name}: {label}") for line in ended.out.splitlines())


def test_several_digits_as_json_and_with_boxes(
    run: Path, predict: Predict, mnist: DataSet, tmp_path: Path
) -> None:
    # A picture of 2,200 pixels is worked on smaller; boxes are told in its own pixels.
    picture = photograph(mnist.train.images[:5, 0].numpy())
    picture.resize((2 * picture.width, 2 * picture.height)).save(tmp_path / "note.png")
    ended = predict(run, "note.png", "--digits", "many", "--json", "--show", "--top", "2")
    assert ended.code == 0, ended.err
    (answer,) = json.loads(ended.out)["pictures"]
    assert answer["text"] == "".join(map(str, mnist.train.labels[:5].tolist()))
    for index, digit in enumerate(answer["digits"]):
        left, _, right, _ = digit["box"]
        assert 2 * (30 + index * 168) - 2 <= left < right <= 2 * (30 + (index + 1) * 168) + 2
        assert digit["top"][0]["probability"] >= digit["top"][1]["probability"]
        with Image.open(tmp_path / "seen" / f"note-digit{index + 1}.png") as seen:
            assert (seen.size, seen.mode) == ((28, 28), "L")
    assert (tmp_path / "seen" / "note-boxes.png").exists()


def test_show_draws_what_it_saves(
    run: Path, predict: Predict, mnist: DataSet, tmp_path: Path
) -> None:
    Image.fromarray(mnist.train.images[0, 0].numpy()).save(tmp_path / "five.png")
    ended = predict(run, "five.png", "--show")
    assert ended.code == 0, ended.err
    drawn = [
        line for line in ended.out.splitlines() if len(line) == 30 and set(line) <= set(" ░▒▓█")
    ]
    assert len(drawn) == 14
    with Image.open(tmp_path / "seen" / "five.png") as seen:
        np.testing.assert_array_equal(np.asarray(seen), mnist.train.images[0, 0].numpy())
    assert predict(run, "seen/five.png", "--top", "1").out.splitlines()[1] in ended.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["RUN"], "IMAGE"),
        (["RUN", "a.png", "--digits", "two"], "one"),
        (["RUN", "a.png", "--top", "0"], "1 or more"),
        (["RUN", "a.png", "--jsn"], "--json"),
        (["absent", "a.png"], "absent"),
    ],
)
def test_mistakes(predict: Predict, run: Path, words: list[str], message: str) -> None:
    ended = predict(*(run if word == "RUN" else word for word in words))
    assert ended.code == 2
    assert message in ended.err
    assert len(ended.err.splitlines()) <= 10
    assert "Traceback" not in ended.err


def test_help_needs_no_torch(predict: Predict) -> None:
    ended = predict("--help")
    assert ended.code == 0
    assert "photos/" in ended.out
    program = (
        "import sys, mnist_trainer.cli.predict; sys.exit(bool({'torch', 'numpy', 'PIL'} &"
        " sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
