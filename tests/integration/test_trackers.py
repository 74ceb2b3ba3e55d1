"""MLflow and Weights & Biases contact nobody unless an address is typed (R26)."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_trainer.system.optional_packages import is_installed

WORDS = (
    "device=cpu",
    "model=linear",
    "data.train_limit=128",
    "data.validation_limit=50",
    "data.test_limit=50",
    "trainer.epochs=1",
    "hydra.run.dir=run",
)
NEEDED = os.environ.get("MNIST_TRAINER_REQUIRE_ALL") == "1"


@pytest.mark.skipif(shutil.which("strace") is None and not NEEDED, reason="strace is missing")
@pytest.mark.parametrize("package", [pytest.param("mlflow", marks=pytest.mark.soak), "wandb"])
def test_nobody_is_contacted(package: str, data_root: Path, tmp_path: Path) -> None:
    if not is_installed(package) and not NEEDED:
        pytest.skip(f"{package} is not installed")
    traced = ["strace", "-f", "-o", "trace", "-e", "trace=connect,sendto,sendmsg"]
    command = [*traced, sys.executable, "-m", "mnist_trainer", f"tracker={package}", *WORDS]
    done = subprocess.run(
        [*command, f"data.root={data_root}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "has failed" not in done.stderr
    lines = (tmp_path / "trace").read_text(errors="replace").splitlines()
    addresses = [line for line in lines if re.search(r"sa_family=AF_INET6?\b", line)]
    assert [each for each in addresses if "127.0.0.1" not in each and '"::1"' not in each] == []
    assert (
        list((tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb"))
        or (tmp_path / "outputs" / "mlflow.db").is_file()
    )
