"""mnist-train reproduce=RUN: a finished run is trained once more, and the verdict is right."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from mnist_trainer.system.files import data_cache_folder
from tests.forked_commands import Forks
from tests.integration.conftest import Ended, wait_for_step

TINY = (
    "device=cpu",
    "data.validation_limit=200",
    "data.test_limit=1000",
    "tracker=none",
    "trainer.log_every=20",
    "trainer.epochs=1",
)
MANY_STEPS = (
    *TINY,
    "model=fcn",
    "model.hidden=[32]",
    "data.train_limit=3200",
    "trainer.batch_size=8",
)
"""400 steps."""

# A build of the product in which something is wrong with the data, from one step on.
BUILD = """
import sys
from mnist_trainer.data import batches, split

seen = batches.TrainingImages.epoch

def swapped(self, number, start=0):
    whole = list(seen(self, number, start))
    whole[299], whole[300] = whole[300], whole[299]
    yield from whole

def labelled(self, number, start=0):
    for step, (images, labels) in enumerate(seen(self, number, start), start=1):
        if step == 300:
            labels = labels.clone()
            labels[3] = (labels[3] + 1) % 10
        yield images, labels

batches.TrainingImages.epoch = {"swapped": swapped, "labelled": labelled}[sys.argv.pop(1)]
from mnist_trainer.cli.train import main
main()
"""


@dataclass
class Bench:
    """Commands in a working directory, and the runs there."""

    forks: Forks
    place: Path

    def train(self, *words: str) -> Ended:
        return self.forks.run("train", *words, cwd=self.place, timeout=100)

    def original(self, name: str, *words: str) -> Path:
        folder = self.place / name
        if not folder.exists():
            ended = self.train(*words, f"hydra.run.dir={folder}")
            assert ended.code == 0, ended.err
        return folder

    def reproduce(self, original: Path, *words: str) -> tuple[Ended, dict[str, Any]]:
        """Reproduce a run; the command's end and what it has written down."""
        again = self.place / f"again-{len(list(self.place.glob('again-*')))}"
        ended = self.train(f"reproduce={original}", f"hydra.run.dir={again}", *words)
        record = again / "reproduction.json"
        return ended, json.loads(record.read_text()) if record.exists() else {}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    place = tmp_path_factory.mktemp("reproduce")
    with Forks(place, loaded=data_cache_folder()) as forks:
        yield Bench(forks, place)


@pytest.fixture
def cnn(bench: Bench) -> Path:
    return bench.original("cnn", "model=cnn", *TINY, "data.train_limit=1280")


def content(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize(
    "words",
    [
        ("model=cnn", "model.dropout=0.3", "transforms=augment", "data.train_limit=640"),
        ("model=fcn", "trainer.engine=numpy", "data.train_limit=640"),
        pytest.param(("experiment=docs_fcn", "trainer.epochs=2"), marks=pytest.mark.soak),
        pytest.param(("experiment=docs_cnn", "trainer.epochs=2"), marks=pytest.mark.soak),
        pytest.param(("experiment=fast99",), marks=pytest.mark.soak),
    ],
    ids=["augmented", "numpy", "docs_fcn", "docs_cnn", "fast99"],
)
def test_the_same_run_has_the_same_bits(
    bench: Bench, words: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.id
    original = bench.original(name, *TINY, *words)
    before = content(original)
    ended, record = bench.reproduce(original)
    assert (ended.code, record["verdict"]) == (0, "same bits"), ended.out + ended.err
    assert record["compared"]["losses"] > 0
    assert record["compared"]["weights_equal"] is True
    assert record["changes"] == []
    assert content(original) == before


def test_a_run_that_was_stopped_and_resumed_has_the_same_bits(bench: Bench) -> None:
    folder, words = bench.place / "stopped", (*MANY_STEPS, "trainer.epochs=2")
    command = [sys.executable, "-m", "mnist_trainer", *words, f"hydra.run.dir={folder}"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        wait_for_step(folder, 60, run)
        run.terminate()
        assert run.wait(timeout=60) == 143
    assert bench.train(f"resume={folder}").code == 0
    assert json.loads((folder / "result.json").read_text())["resumed_from"]
    ended, record = bench.reproduce(folder)
    assert (ended.code, record["verdict"]) == (0, "same bits"), ended.out + ended.err
    assert record["compared"]["losses"] == 800


def test_each_run_of_a_sweep_is_judged(bench: Bench) -> None:
    ended = bench.train("-m", *TINY, "data.train_limit=640", "sweep=two", "model=linear",
                        "seed=0,1")  # fmt: skip
    assert ended.code == 0, ended.err
    sweep = bench.place / "outputs" / "multirun" / "two"
    ended = bench.train(f"reproduce={sweep}")
    assert ended.code == 0, ended.err
    assert "2 runs: 2 same bits" in ended.out
    result = sweep / "0-seed=0" / "config.yaml"
    settings = yaml.safe_load(result.read_text())
    result.write_text(yaml.safe_dump({**settings, "optimizer": {**settings["optimizer"], "lr": 1}}))
    ended = bench.train(f"reproduce={sweep}")
    assert ended.code == 7, ended.err
    assert "2 runs: 1 same bits, 1 different" in ended.out


def test_how_a_run_is_watched_makes_no_other_run_of_it(bench: Bench, cnn: Path) -> None:
    ended, record = bench.reproduce(cnn, "trainer.log_every=7", "tracker=tensorboard")
    assert (ended.code, record["verdict"]) == (0, "same bits"), ended.out + ended.err
    assert record["changes"] == []


def test_another_number_of_threads_changes_rounding_alone(bench: Bench, cnn: Path) -> None:
    ended, record = bench.reproduce(cnn, "device.threads=2")
    assert ended.code == 0, ended.out
    assert record["verdict"] == "same up to rounding"
    assert record["changes"] == ["device.threads=2"]
    parting = record["parting"]
    there, here = (float.fromhex(text) for text in parting["losses"])
    assert 0 < abs(there - here) < 1e-5
    assert f"losses at step {parting['step']}" in ended.out
    assert f"losses part at step {parting['step']}: {parting['losses'][0]}" in ended.out
    assert "cpu.threads" in ended.out


def test_the_original_s_number_of_threads_is_set(bench: Bench) -> None:
    original = bench.original("threads", "model=cnn", *TINY, "data.train_limit=640")
    environment = json.loads((original / "environment.json").read_text())
    environment["cpu"]["threads"] = 2
    (original / "environment.json").write_text(json.dumps(environment))
    again = bench.place / "two-threads"
    bench.train(f"reproduce={original}", f"hydra.run.dir={again}")
    assert json.loads((again / "environment.json").read_text())["cpu"]["threads"] == 2


def test_another_learning_rate_is_different_from_its_first_effect_on(
    bench: Bench, cnn: Path
) -> None:
    ended, record = bench.reproduce(cnn, "optimizer.lr=0.011")
    assert (ended.code, record["verdict"]) == (7, "different"), ended.out + ended.err
    assert record["parting"]["step"] == 2  # The first loss is of the weights before any update.
    assert record["rounding"]["ratio"] > 1000


def test_another_seed_is_judged_by_the_spread_of_seeds(bench: Bench, cnn: Path) -> None:
    ended, record = bench.reproduce(cnn, "seed=1")
    assert (ended.code, record["verdict"]) == (0, "statistically the same"), ended.out + ended.err
    assert [test["seeds"] for test in record["seeds"]] == [4, 4, 4]
    ended, record = bench.reproduce(cnn, "seed=1", "optimizer.lr=0.00001")
    assert (ended.code, record["verdict"]) == (7, "different"), ended.out + ended.err


def test_without_other_seeds_another_seed_cannot_be_judged(bench: Bench) -> None:
    original = bench.original("alone/run", *TINY, "data.train_limit=640")
    ended, record = bench.reproduce(original, "seed=5", "reproduce_seeds=0")
    assert (ended.code, record["verdict"]) == (8, "cannot be judged")
    assert "reproduce_seeds=3" in ended.out


@pytest.mark.parametrize("fault", ["swapped", "labelled"])
def test_a_build_with_a_fault_is_different_from_its_step_on(bench: Bench, fault: str) -> None:
    original = bench.original("many", *MANY_STEPS)
    again = bench.place / fault
    ended = subprocess.run(
        [sys.executable, "-c", BUILD, fault, f"reproduce={original}", f"hydra.run.dir={again}"],
        cwd=bench.place,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ended.returncode == 7, ended.stdout + ended.stderr
    record = json.loads((again / "reproduction.json").read_text())
    assert record["verdict"] == "different"
    assert record["parting"]["step"] == 300
    assert record["parting"]["same_until"] == 299
    assert "losses at step 300" in ended.stdout


def test_a_flipped_bit_of_the_data_is_noticed_before_training(
    bench: Bench, data_root: Path, cnn: Path
) -> None:
    root = bench.place / "data"
    shutil.copytree(data_root, root)
    images = root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    flipped = bytearray(images.read_bytes())
    flipped[5000] ^= 1
    images.write_bytes(flipped)
    ended, record = bench.reproduce(cnn, f"data.root={root}")
    assert "train-images-idx3-ubyte" in ended.err
    assert (ended.code, record["verdict"]) == (0, "same bits")  # From the copy in the package.


def test_other_data_than_the_original_s_cannot_be_judged(bench: Bench) -> None:
    original = bench.original("other-data", *TINY, "data.train_limit=640")
    environment = json.loads((original / "environment.json").read_text())
    environment["data_sha256"]["train-images-idx3-ubyte"] = "0" * 64
    (original / "environment.json").write_text(json.dumps(environment))
    ended, record = bench.reproduce(original)
    assert (ended.code, record) == (8, {})
    assert "train-images-idx3-ubyte" in ended.err
    assert "epoch 1" not in ended.out


def test_what_differs_of_the_machine_is_listed_first(bench: Bench) -> None:
    original = bench.original("listed", *TINY, "data.train_limit=640")
    environment = json.loads((original / "environment.json").read_text())
    environment["packages"]["torch"] = "2.13.0"
    environment["installed"]["numpy"] = "1.0"
    environment["variables"]["MKL_CBWR"] = "AVX2"
    (original / "environment.json").write_text(json.dumps(environment))
    ended, record = bench.reproduce(original)
    assert ended.code == 0
    assert record["verdict"] == "same bits"
    head = ended.out.partition("epoch 1/1")[0]
    for text in ("2.13.0", "numpy", "MKL_CBWR"):
        assert text in head


def test_a_folder_without_a_trail_is_compared_by_what_it_logged(bench: Bench) -> None:
    old = bench.place / "old"
    shutil.copytree(Path(__file__).parents[1] / "data" / "version_0_1" / "run", old)
    ended, record = bench.reproduce(old)
    assert "no trail of losses" in ended.out
    assert "not recorded by that version" in ended.out
    assert record["compared"]["digests"] == 0
    assert record["verdict"] in ("same bits", "same up to rounding", "statistically the same")


def test_a_user_s_configuration_is_named_and_its_copy_can_be_used(bench: Bench) -> None:
    own = bench.place / "own" / "model"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("defaults: [fcn]\nhidden: [16]\n")
    original = bench.original(
        "user", "--config-dir", str(own.parent), "model=mine", *TINY, "data.train_limit=640"
    )
    shutil.rmtree(own.parent)
    ended, record = bench.reproduce(original)
    assert (ended.code, record) == (8, {})
    folder = re.search(r"--config-dir (\S+)", ended.err)
    assert folder, ended.err
    ended, record = bench.reproduce(original, "--config-dir", folder[1])
    assert (ended.code, record["verdict"]) == (0, "same bits"), ended.err


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".hydra/overrides.yaml", "- hydra.run.dir=/elsewhere\n"),
        (".hydra/overrides.yaml", "- +model.extra._target_=os.system\n"),
        (".hydra/overrides.yaml", "- data.train_limit=[1\n"),
        ("config.yaml", "optimizer: {_target_: os.system, command: touch mark}\n"),
        ("config.yaml", "[]\n"),
    ],
)
def test_a_hostile_folder_runs_nothing(bench: Bench, cnn: Path, name: str, text: str) -> None:
    hostile = bench.place / "hostile"
    shutil.rmtree(hostile, ignore_errors=True)
    shutil.copytree(cnn, hostile)
    (hostile / name).write_text(text)
    before = {path.name for path in bench.place.iterdir()}
    ended, record = bench.reproduce(hostile)
    assert ended.code == 8, ended.out + ended.err
    assert not record
    assert "Traceback" not in ended.err
    assert {path.name for path in bench.place.iterdir()} == before


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("reproduce=nowhere",), "nowhere"),
        (("reproduce=own-folder",), "no run lies in it"),
        (("reproduce={cnn}", "-m", "seed=1,2"), "leave out -m"),
        (("reproduce={cnn}", "optimizer.momentun=0.9"), "momentun"),
        (("reproduce={cnn}", "reproduce_seeds=-1"), "reproduce_seeds"),
        (("reproduce={cnn}", "hydra.run.dir={cnn}"), "already holds a run"),
        (("reproduce={cnn}", "resume={cnn}"), "the same run"),
    ],
)
def test_mistakes_are_answered(bench: Bench, cnn: Path, words: tuple[str, ...], named: str) -> None:
    (bench.place / "own-folder").mkdir(exist_ok=True)
    ended = bench.train(*(word.format(cnn=cnn) for word in words))
    assert ended.code == 2, ended.out + ended.err
    assert named in ended.err


def test_a_place_that_cannot_be_written_to_is_no_verdict(bench: Bench, cnn: Path) -> None:
    (bench.place / "a-file").write_text("")
    ended = bench.train(f"reproduce={cnn}", "hydra.run.dir=a-file/run")
    assert ended.code == 6, ended.out + ended.err


@pytest.mark.soak
def test_a_hundred_reproductions_are_the_same(bench: Bench) -> None:
    words = (*TINY, "model=cnn", "data.train_limit=1920", "trainer.log_every=5")
    original = bench.original("thirty", *words)
    verdicts = [bench.reproduce(original)[1]["verdict"] for _ in range(100)]
    assert verdicts == ["same bits"] * 100
