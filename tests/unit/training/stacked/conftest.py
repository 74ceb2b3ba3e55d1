"""Whole runs in float64, alone and as a stack."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from mnist_trainer.compute.device import select_device
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.data.transforms import Transforms
from mnist_trainer.errors import UserError
from mnist_trainer.launch.command import resolve_command
from mnist_trainer.launch.composed import read_composed
from mnist_trainer.launch.options import parse_command_line
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.system.signals import Interruption
from mnist_trainer.training import description
from mnist_trainer.training.run import prepare, train
from mnist_trainer.training.stacked.member import Member, share_images
from mnist_trainer.training.stacked.trainer import StackedTrainer
from mnist_trainer.training.tracking.terminal import Terminal

SMALL = (
    "device=cpu",
    *("data.train_limit=100", "data.validation_limit=100", "data.test_limit=100"),
    *("trainer.epochs=2", "trainer.batch_size=32", "trainer.log_every=3", "tracker=none"),
)

Ended = dict[str, BaseException | None]
Alone = Callable[[str, RunConfig], None]
Stacked = Callable[..., Ended]
Configs = Callable[..., dict[str, RunConfig]]


@pytest.fixture
def float64(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Weights and images in double precision, which no configuration asks for."""

    def preprocess(transforms: Transforms, images: Tensor) -> Tensor:
        return transforms.apply_fixed(images.double().div_(255))

    monkeypatch.setattr(Transforms, "preprocess", preprocess)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(autouse=True)
def _undescribed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No description of the machine, which takes longer than these runs."""
    monkeypatch.setattr(description, "describe_environment", lambda *_: {"device": {}})
    monkeypatch.setattr(description, "source_patch", lambda: b"")


@cache
def _composed(*choices: str) -> DictConfig:
    try:
        return resolve_command(parse_command_line(choices)).composed
    finally:
        GlobalHydra.instance().clear()


def settings(*words: str) -> RunConfig:
    """As the fixture ``compose``, but each choice of groups is composed once for all tests."""
    pairs = [word.lstrip("+").split("=", 1) for word in words]
    values = [(key, each) for key, each in pairs if "." in key or key in ("seed", "name")]
    choices = [f"{key}={each}" for key, each in pairs if (key, each) not in values]
    config = _composed(*choices).copy()
    for key, each in values:
        OmegaConf.update(config, key, yaml.safe_load(each), force_add=True)
    return read_composed(config)


@pytest.fixture
def configs(data_root: Path) -> Configs:
    """Words to the settings of a run, for each of some words, with others for all."""

    def made(*words: str, apart: Sequence[str]) -> dict[str, RunConfig]:
        common = (*SMALL, f"data.root={data_root}", *words)
        return {each: settings(*common, *each.split()) for each in apart}

    return made


@pytest.fixture
def alone(tmp_path: Path) -> Alone:
    """Train a run in a folder of its name below ``alone``."""

    def trained(name: str, config: RunConfig) -> None:
        folder = tmp_path / "alone" / name
        folder.mkdir(parents=True)
        train(config, RunFolder(folder), time.perf_counter(), Terminal())

    return trained


@pytest.fixture
def stacked(tmp_path: Path) -> Stacked:
    """Train runs in folders of their names below ``stacked``; their errors."""

    def trained(configs: dict[str, RunConfig], terminal: Terminal | None = None) -> Ended:
        stop, members = Interruption(), []
        for name, config in configs.items():
            folder = tmp_path / "stacked" / name
            folder.mkdir(parents=True, exist_ok=True)
            device = select_device(config.device)
            started = time.perf_counter()
            trainer = prepare(config, RunFolder(folder), started, Terminal(), device=device)
            members.append(Member(trainer, stop))
        share_images(members)
        ended: Ended = dict.fromkeys(configs)

        @contextmanager
        def recorded(member: Member) -> Iterator[None]:
            try:
                yield
            except UserError as error:
                ended[member.folder.path.name] = error

        left: list[Member] = []
        StackedTrainer(members, stop, terminal or Terminal(), recorded, left.append).run()
        assert len(left) == len(configs)
        return ended

    return trained
