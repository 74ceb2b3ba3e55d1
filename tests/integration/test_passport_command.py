"""``mnist-passport --quick`` on this machine, with and without a fault."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration
COMMAND = [sys.executable, "-m", "mnist_trainer.cli.passport"]
FLIPPED = """import sys
import torch.nn.functional as F
original = F.linear
def linear(*args):
    output = original(*args).clone()
    output.view(-1)[3] += 1
    return output
F.linear = linear
sys.argv = ["mnist-passport", "--quick", "--threads", "8", "--json", "b.json"]
from mnist_trainer.cli.passport import main
main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the passport of this machine."""
    return tmp_path_factory.mktemp("passports")


def run(
    words: list[str], folder: Path, **environment: str
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """The command, and what it left in the folder for temporary files."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    ended = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "TMPDIR": str(temporary), "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=250,
    )
    return ended, [path.name for path in temporary.iterdir()]


def alarms(path: Path) -> set[str]:
    values: dict[str, Any] = json.loads(path.read_text())
    return {finding["check"] for finding in values["findings"] if finding["advice"]}


def test_quick_passport_of_this_machine(folder: Path) -> None:
    ended, left = run([*COMMAND, "--quick"], folder)
    assert "Traceback" not in ended.stderr
    assert ended.returncode in (0, 6), ended.stderr
    values = json.loads((folder / "passport.json").read_text())
    # Other tests run beside this one.
    wrong = alarms(folder / "passport.json")
    assert wrong <= {"neighbours"}, values["findings"]
    assert ended.returncode == (6 if wrong else 0)
    assert all(row["same_bits"] for row in values["replays"])
    assert {row["recipe"] for row in values["recipes"]} == {"docs_fcn", "docs_cnn", "fast99"}
    assert "to_99" not in values
    assert (folder / "passport.html").read_text().count("<svg") == 3
    assert sorted(path.name for path in folder.iterdir()) == [
        "passport.html",
        "passport.json",
        "tmp",
    ]
    assert left == []
    other = {**values, "machine": {**values["machine"], "variables": {"MKL_CBWR": "AVX2"}}}
    (folder / "b.json").write_text(json.dumps(other))
    compared, _ = run([*COMMAND, "passport.json", "b.json"], folder)
    assert compared.returncode == 0, compared.stderr
    assert "Same bits" in compared.stdout
    assert "MKL_CBWR" in compared.stdout


@pytest.mark.soak
def test_injected_faults_are_found(folder: Path) -> None:
    ended, left = run([sys.executable, "-c", FLIPPED], folder, ATEN_CPU_CAPABILITY="default")
    assert ended.returncode == 6, ended.stderr
    assert left == []
    expected = {"exact products", "threads"}
    machine = json.loads((folder / "b.json").read_text())["machine"]
    if machine["capability"]["offered"] in ("AVX2", "AVX512"):
        expected.add("capability")
    if machine["cores"]["usable"] >= 8:
        expected.remove("threads")
    assert alarms(folder / "b.json") >= expected


def test_mistake_is_answered_without_torch(folder: Path) -> None:
    ended, _ = run([*COMMAND, "--quik"], folder, PYTHONPROFILEIMPORTTIME="1")
    assert ended.returncode == 2
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert "torch" not in imported
    assert "numpy" not in imported


def test_interrupt_ends_cleanly(folder: Path) -> None:
    temporary = folder / "tmp-of-interrupted"
    temporary.mkdir()
    process = subprocess.Popen(
        [*COMMAND, "--quick", "--json", "c.json"],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 100
    while not list(temporary.glob("mnist-passport-*/run-1")) and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=100)[1]
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert list(temporary.iterdir()) == []
    assert not (folder / "c.json").exists()
