"""The shipped configurations: every one composes, builds, trains a step and is described."""

import pytest
import torch

from mnist_trainer.config.settings import NUM_TRAINING_IMAGES
from mnist_trainer.config.shipped import config_dir, group_choices, group_names
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.data.split import split
from mnist_trainer.data.transforms import build_transforms
from mnist_trainer.models.build import build_loss, build_model
from mnist_trainer.training.optim.build import build_optimizer, build_scheduler
from tests.conftest import Compose

EVERY_CHOICE = [(group, choice) for group in group_names() for choice in group_choices(group)]


@pytest.mark.parametrize(
    ("group", "choice"), EVERY_CHOICE, ids=[f"{g}={c}" for g, c in EVERY_CHOICE]
)
def test_every_config_composes_builds_and_trains_a_step(
    group: str, choice: str, compose: Compose, some_images: LabelledImages
) -> None:
    words = [f"+{group}={choice}"] if group in ("experiment", "debug") else [f"{group}={choice}"]
    config = compose(words[0].lstrip("+"))
    transforms = build_transforms(config.transforms.fixed, config.transforms.random)
    size = transforms.preprocess(some_images.images[:1]).shape[-1]
    model = build_model(config.model, num_classes=10, image_size=size)
    criterion = build_loss(config.loss)
    optimizer = build_optimizer(config.optimizer, model)
    scheduler = build_scheduler(config.scheduler, optimizer, steps_per_epoch=10, total_steps=10)
    images = transforms.augment(
        transforms.preprocess(some_images.images[:64]), torch.rand(64, transforms.num_random_params)
    )
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for _ in range(2):  # A schedule may begin at a rate of nearly zero.
        optimizer.zero_grad()
        loss = criterion(model(images), some_images.labels[:64])
        loss.backward()
        optimizer.step()
        scheduler.step()
    assert loss.isfinite()
    assert any(
        not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True)
    )


@pytest.mark.parametrize(
    "path", sorted(config_dir().rglob("*.yaml")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_every_config_file_opens_with_a_description(path: object) -> None:
    text = path.read_text(encoding="utf-8")  # type: ignore[attr-defined]
    lines = [line for line in text.splitlines() if not line.startswith("# @package")]
    assert lines[0].startswith("# ")
    if "hydra/" not in str(path):
        assert any("mnist-train" in line for line in lines if line.startswith("#")), (
            "no command that uses it"
        )


def test_docs_recipes_equal_the_tutorials(compose: Compose) -> None:
    for name, target in (("docs_fcn", "FCN"), ("docs_cnn", "CNN")):
        config = compose(f"experiment={name}")
        assert config.model.target.endswith(target)
        assert (config.trainer.epochs, config.trainer.batch_size, config.trainer.accumulation) == (
            10,
            64,
            1,
        )
        assert config.data.validation_size == 0
        assert (config.data.mean, config.data.std) == (0.1307, 0.3081)
        assert (
            config.optimizer.target,
            config.optimizer.options["lr"],
            config.optimizer.options["momentum"],
        ) == (
            "torch.optim.SGD",
            0.01,
            0.5,
        )
        assert not config.transforms.random
    fcn = build_model(compose("experiment=docs_fcn").model, 10)
    assert [tuple(p.shape) for p in fcn.parameters() if p.dim() == 2] == [
        (512, 784),
        (256, 512),
        (128, 256),
        (64, 128),
        (10, 64),
    ]
    cnn = build_model(compose("experiment=docs_cnn").model, 10)
    assert [tuple(p.shape) for p in cnn.parameters() if p.dim() > 1] == [
        (10, 1, 5, 5),
        (20, 10, 5, 5),
        (10, 320),
    ]


def test_command_line_overrides_an_experiment(compose: Compose) -> None:
    config = compose(
        "experiment=docs_cnn", "trainer.epochs=2", "model.channels=[4,8]", "device=cpu"
    )
    assert config.trainer.epochs == 2
    assert config.model.options["channels"] == [4, 8]
    assert config.device.type == "cpu"


def test_known_sizes_cover_every_data_set() -> None:
    assert set(NUM_TRAINING_IMAGES) == set(group_choices("data"))


def test_default_holds_out_validation_images(compose: Compose, mnist: object) -> None:
    parts = split(mnist, compose().data)  # type: ignore[arg-type]
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (55_000, 5_000, 10_000)
