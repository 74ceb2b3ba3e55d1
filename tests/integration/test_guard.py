"""R20: nothing that a configuration names runs, unless it is on the list or trusted; wherever it is
named."""

import os
from pathlib import Path

import pytest

from tests.integration.conftest import QUICK, Command

HANDLER = 'handlers: {x: {"()": evil.touch}}'


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A package that leaves a file when it is imported or called, and configurations naming it."""
    touched = f"__import__('pathlib').Path({str(tmp_path / 'touched')!r}).touch()"
    package = tmp_path / "evil"
    package.mkdir()
    (package / "__init__.py").write_text(
        f"{touched}\ndef touch(*_, **__):\n    {touched}\nstream = None\n"
    )
    (package / "config.yaml").write_text("seed: 0\n")
    files = {
        "model/evil.yaml": "_target_: evil.touch\n",
        "model/alias.yaml": (
            "_target_: torch.nn.modules.module.os.system\n_args_: ['touch touched']\n"
        ),
        "loss/nested.yaml": (
            "_target_: torch.nn.CrossEntropyLoss\nweight:\n  _target_: evil.touch\n"
        ),
        "transforms/evil.yaml": "fixed: []\nrandom: [{_target_: evil.touch}]\n",
        "experiment/logging.yaml": f"# @package _global_\nhydra:\n  job_logging:\n    {HANDLER}\n",
        "experiment/environment.yaml": (
            "# @package _global_\nhydra: {job: {env_set: {MNIST_TRAINER_TRUST: evil}}}\n"
            "model: {_target_: evil.touch}\n"
        ),
        "experiment/callback.yaml": (
            "# @package _global_\nhydra: {callbacks: {x: {_target_: evil.touch}}}\n"
        ),
        "experiment/swept.yaml": (
            "# @package _global_\nhydra: {sweeper: {params: {hydra/job_logging:"
            " 'evil,run_folder'}}}\n"
        ),
        "hydra/launcher/evil.yaml": "_target_: evil.touch\n",
        "hydra/job_logging/evil.yaml": f"version: 1\n{HANDLER}\n",
        "primary.yaml": "defaults: [config]\nhydra: {searchpath: ['pkg://evil']}\n",
        "primary_target.yaml": "defaults: [config, _self_]\nmodel: {_target_: evil.touch}\n",
    }
    for name, content in files.items():
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / "mine"


WAYS = [
    ["model._target_=evil.touch"],
    ["optimizer._target_=evil.touch"],
    ["scheduler._target_=torch.optim.lr_scheduler.types.FunctionType"],
    ["+model.extra={_target_: evil.touch}"],
    ["model=evil"],
    ["model=alias"],
    ["loss=nested"],
    ["transforms=evil"],
    ["-m", "model=fcn,evil"],
    ["-m", "experiment=docs_fcn,logging"],
    ["-m", "experiment=docs_fcn,environment"],
    ["experiment=logging"],
    ["experiment=environment"],
    ["experiment=callback"],
    ["hydra.job.env_set.MNIST_TRAINER_TRUST=evil", "model._target_=evil.touch"],
    ["+hydra.job.env_set.MNIST_TRAINER_TRUST=evil", "model._target_=evil.touch"],
    ["hydra/job_logging=evil"],
    ["hydra.job_logging.handlers.file.class=evil.touch"],
    ["hydra.job_logging.handlers.terminal.stream=ext://evil.stream"],
    ["hydra.job_logging.handlers.terminal.stream=${name}", "name=ext://evil.stream"],
    ["hydra.job_logging.handlers.file.filename=touched"],
    ["hydra.hydra_logging.handlers.terminal.class=evil.touch"],
    ["hydra/launcher=evil"],
    ["-m", "hydra/launcher=evil", "seed=0,1"],
    ["hydra.launcher._target_=evil.touch"],
    ["hydra.sweeper._target_=evil.touch"],
    ["+hydra.callbacks.x._target_=evil.touch"],
    ["+hydra.callbacks.x=${oc.create:{_target_:evil.touch}}"],
    ["-m", "seed=0,1", "experiment=swept"],
    ["-m", "seed=0,1", "+hydra.sweeper.params={hydra.job_logging.handlers.file.class:evil.touch}"],
    ["-m", "hydra/job_logging=evil,run_folder"],
    ["hydra.searchpath=[pkg://evil]"],
    ["hydra.searchpath=[pkg://evil]", "--cfg", "job"],
    ["--config-name", "primary"],
    ["--config-name", "primary_target"],
]


@pytest.mark.parametrize("words", WAYS, ids=" ".join)
def test_a_hostile_target_does_not_run(
    words: list[str], hostile: Path, mnist_train: Command, tmp_path: Path
) -> None:
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    quick = () if "--cfg" in words else QUICK
    ended = mnist_train("--config-dir", "mine", *words, *quick, PYTHONPATH=path)
    assert not (tmp_path / "touched").exists()
    assert ended.code == 2, ended.err
    assert len(ended.err.splitlines()) <= 10
    assert "Traceback" not in ended.err
    assert not list(tmp_path.rglob("result.json"))


@pytest.mark.parametrize("scheme", ["file", "trusted package"])
def test_a_search_path_is_followed_where_it_may_be(
    scheme: str, hostile: Path, mnist_train: Command, tmp_path: Path
) -> None:
    """The targets found there are held to the list all the same."""
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    if scheme == "file":
        ended = mnist_train(f"hydra.searchpath=[file://{hostile}]", "model=evil", PYTHONPATH=path)
        assert not (tmp_path / "touched").exists()
        assert ended.code == 2, ended.err
        assert "not on the list" in ended.err
    else:
        words = ("hydra.searchpath=[pkg://evil]", "trainer.epochs=0")
        ended = mnist_train(*words, PYTHONPATH=path, MNIST_TRAINER_TRUST="evil")
        assert (tmp_path / "touched").exists()
        assert "at least 1, such as trainer.epochs=5" in ended.err


def test_a_pickled_run_is_not_read(mnist_train: Command, tmp_path: Path) -> None:
    (tmp_path / "job.pickle").write_bytes(
        b"cpathlib\nPath.touch\n(cpathlib\nPath\n(S'touched'\ntRtR."
    )
    ended = mnist_train("--experimental-rerun", "job.pickle")
    assert ended.code == 2
    assert "resume=" in ended.err
    assert not (tmp_path / "touched").exists()
