"""R33: the clock of the machine is set back a day while a run or a sweep is going on."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.integration.conftest import QUICK, Command
from tests.integration.test_resume import differences, last, points

LIBRARY = next(
    (
        path
        for folder in ("/usr/lib", "/usr/local/lib")
        for path in Path(folder).glob("**/faketime/libfaketime.so.1")
    ),
    None,
)
pytestmark = pytest.mark.skipif(
    LIBRARY is None and os.environ.get("MNIST_TRAINER_REQUIRE_ALL") != "1",
    reason="libfaketime is not installed",
)
WORDS = (*QUICK[:-1], "model=linear", "trainer.log_every=2", "tracker.graph=false")
# Sets the clock that the process sees, at its fourth epoch.
PROGRAM = """
import os, pathlib
import mnist_trainer.training.trainer as trainer
real = trainer.Trainer.end_epoch
def end_epoch(self, *args):
    real(self, *args)
    if self.progress.epoch == 2:
        pathlib.Path(os.environ["FAKETIME_TIMESTAMP_FILE"]).write_text("-1d")
trainer.Trainer.end_epoch = end_epoch
from mnist_trainer.cli.train import main
main()
"""


@pytest.fixture
def clock(tmp_path: Path) -> dict[str, str]:
    """The environment of a command whose clock is set back by the program."""
    (tmp_path / "clock").write_text("+0")
    (tmp_path / "set_back.py").write_text(PROGRAM)
    return {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(tmp_path / "clock"),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
        "module": "set_back",
    }


def test_set_back_in_a_run_no_time_is_negative_and_resume_is_right(
    clock: dict[str, str], mnist_train: Command, tmp_path: Path
) -> None:
    words = (*WORDS, "trainer.epochs=3")
    ended = mnist_train(*words, "hydra.run.dir=back", **clock)
    assert ended.code == 0, ended.err
    assert (tmp_path / "clock").read_text() == "-1d"
    assert mnist_train(*words, "hydra.run.dir=plain").code == 0
    assert points(tmp_path / "back") == points(tmp_path / "plain")
    result = json.loads((tmp_path / "back" / "result.json").read_text())
    assert all(0 <= seconds < 100 for seconds in result["seconds"].values())
    # Now the clock is a day behind that of the files.
    shutil.copytree(tmp_path / "back", tmp_path / "more")
    for folder in ("more", "plain"):
        assert mnist_train(f"resume={folder}", "trainer.epochs=4").code == 0
    assert differences(last(tmp_path / "more"), last(tmp_path / "plain")) == []


@pytest.mark.soak
def test_set_back_in_a_sweep_no_time_is_negative_and_the_newest_is_the_latest(
    clock: dict[str, str], mnist_train: Command, tmp_path: Path
) -> None:
    ended = mnist_train("-m", *WORDS, "trainer.epochs=3", "seed=0,1", "sweep=back", **clock)
    assert ended.code == 0, ended.err
    assert "-1 " not in ended.out
    assert "-86" not in ended.out
    ended = mnist_train(*WORDS, **clock)
    assert ended.code == 0, ended.err
    newest = Path((tmp_path / "outputs" / "latest").read_text().strip())
    assert "multirun" not in newest.parts
