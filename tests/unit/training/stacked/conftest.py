"""Whole runs in float64, alone and as a stack."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mnist_trainer.compute.device import select_device
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.data.transforms import Transforms
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.system.signals import Interruption
from mnist_trainer.training.run import prepare, train
from mnist_trainer.training.stacked.member import Member, share_images
from mnist_trainer.training.stacked.trainer import StackedTrainer
from mnist_trainer.training.tracking.terminal import Terminal
from tests.conftest import Compose

SMALL = (
    *("data.train_limit=150", "data.validation_limit=100", "data.test_limit=100"),
    *("trainer.epochs=2", "trainer.batch_size=32", "trainer.log_every=3", "tracker=none"),
)

Ended = dict[str, BaseException | None]
Alone = Callable[[str, RunConfig], None]
Stacked = Callable[[dict[str, RunConfig]], Ended]
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


@pytest.fixture
def configs(compose: Compose, data_root: Path) -> Configs:
    """Name to settings of a run for each list of words, with some words for all."""

    def composed(*words: str, apart: Sequence[str]) -> dict[str, RunConfig]:
        common = ("device=cpu", f"data.root={data_root}", *SMALL, *words)
        return {each: compose(*common, *each.split()) for each in apart}

    return composed


@pytest.fixture
def alone(tmp_path: Path) -> Alone:
    def trained(name: str, config: RunConfig) -> None:
        folder = tmp_path / "alone" / name
        folder.mkdir(parents=True)
        train(config, RunFolder(folder), time.perf_counter(), Terminal())

    return trained


@pytest.fixture
def stacked(tmp_path: Path) -> Stacked:
    def trained(configs: dict[str, RunConfig]) -> Ended:
        stop, members = Interruption(), []
        for name, config in configs.items():
            folder = tmp_path / "stacked" / name
            folder.mkdir(parents=True)
            device = select_device(config.device)
            started = time.perf_counter()
            trainer = prepare(config, RunFolder(folder), started, Terminal(), device=device)
            members.append(Member(trainer, stop))
        share_images(members)
        ended: Ended = {}

        def on_end(member: Member, error: BaseException | None) -> None:
            ended[member.folder.path.name] = error

        StackedTrainer(members, stop, Terminal(), on_end).run()
        return ended

    return trained
