"""The package from Python, in processes of their own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_trainer import load_run
from tests.integration.conftest import QUICK, Command

pytestmark = pytest.mark.integration

APP = """
import os
import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf
from mnist_trainer import train

@hydra.main(version_base="1.3", config_path=None, config_name=None)
def main(config):
    own = HydraConfig.get().job.name
    runs = [train({words}) for _ in range(2)]
    assert HydraConfig.get().job.name == own
    assert GlobalHydra.instance().is_initialized()
    assert OmegaConf.create({{"home": "${{oc.env:HOME}}"}}).home == os.environ["HOME"]
    print(runs[0].checkpoint.sha256, runs[1].checkpoint.sha256)

main()
"""


def python(*arguments: str, cwd: Path) -> str:
    command = [sys.executable, *arguments]
    ended = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_importing_the_package_brings_neither_torch_nor_hydra(tmp_path: Path) -> None:
    names = "{'torch', 'hydra', 'numpy', 'sklearn', 'rich'}"
    python(
        "-c", f"import mnist_trainer, sys; assert not {names} & sys.modules.keys()", cwd=tmp_path
    )
    early = "from mnist_trainer import train; assert 'torch' not in sys.modules"
    python("-c", f"import sys; {early}", cwd=tmp_path)


def test_the_same_words_lead_to_the_same_weights(
    mnist_train: Command, data_root: Path, tmp_path: Path
) -> None:
    words = [*QUICK, "model=linear", "transforms=augment", "seed=3", f"data.root={data_root}"]
    assert mnist_train(*words, "hydra.run.dir=typed").code == 0
    result = json.loads((tmp_path / "typed" / "result.json").read_text())
    (tmp_path / "app.py").write_text(APP.format(words=words))
    assert python("app.py", cwd=tmp_path).split()[-2:] == [result["weights_sha256"]] * 2
    evaluated = load_run(tmp_path / "typed", device="cpu").evaluate(data_root=data_root)
    asked = ["typed", "--json", "--no-figures", "--device=cpu", f"--data-root={data_root}"]
    said = json.loads(python("-m", "mnist_trainer.cli.eval", *asked, cwd=tmp_path))
    own = evaluated.as_json()
    for each in (said, own):
        each.pop("run")
        each["checkpoint"].pop("file")
    assert own == said
    assert own["correct"] == result["test"]["correct"]
