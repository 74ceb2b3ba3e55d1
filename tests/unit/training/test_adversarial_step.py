"""Adversarial training: what replaces the images of a step, and what it leaves alone."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_trainer.compute.device import select_device
from mnist_trainer.compute.ranks import RankInfo
from mnist_trainer.compute.world import SINGLE_WORLD, World
from mnist_trainer.data.batches import ResidentBatches, TrainingImages
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.data.transforms import Normalize, Transforms, build_transforms
from mnist_trainer.errors import ConfigError
from mnist_trainer.training.adversarial_step import AdversarialStep, pixel_values
from mnist_trainer.training.run import make_model, make_state
from mnist_trainer.training.step import StepOutput
from tests.conftest import Compose

MEAN, STD = 0.1307, 0.3081
UPDATE = 60
MakeStep = Callable[..., AdversarialStep]


class Seen:
    """Stands for the step behind the attack, and keeps what it is given."""

    images: Tensor

    def __call__(self, images: Tensor, labels: Tensor, *, measure_norm: bool) -> StepOutput:
        assert measure_norm
        self.images, self.labels = images, labels
        return StepOutput(torch.zeros(()), None)


@pytest.fixture
def make_step(compose: Compose, some_images: LabelledImages) -> MakeStep:
    """An adversarial step at its 5th update, of epsilon 0.2."""

    def made(*words: str, world: World = SINGLE_WORLD, batch_size: int = UPDATE) -> AdversarialStep:
        config = compose(
            "device=cpu", "model=convnet", "model.batch_norm=true", "model.dropout=0.4",
            "model.hidden=[20]", "trainer.adversary.epsilon=0.2", "trainer.adversary.steps=3",
            *words,
        )  # fmt: skip
        device = select_device(config.device)
        torch.manual_seed(config.seed)
        transforms = build_transforms(config.transforms.fixed, config.transforms.random)
        state = make_state(config, make_model(config, 10, 28, device), 10, device)
        state.model.train()
        state.progress.step = state.progress.batch = 5
        batches = ResidentBatches(some_images, transforms, device, UPDATE)
        data = TrainingImages(batches, len(some_images), 0, UPDATE, config.seed, ())
        settings = config.trainer.adversary
        assert settings is not None
        pixels = pixel_values(transforms)
        return AdversarialStep(Seen(), settings, state, data, device, world, pixels, batch_size)

    return made


@pytest.fixture
def batch(some_images: LabelledImages) -> tuple[Tensor, Tensor]:
    images = some_images.images[:UPDATE].float() / 255
    return (images - MEAN) / STD, some_images.labels[:UPDATE]


def loss(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    model.eval()
    with torch.no_grad():
        value = F.cross_entropy(model(images), labels).item()
    model.train()
    return value


def test_the_step_sees_worse_images_within_epsilon(
    make_step: MakeStep, batch: tuple[Tensor, Tensor]
) -> None:
    step, (images, labels) = make_step(), batch
    before = images.clone()
    step(images, labels, measure_norm=True)
    assert isinstance(step.step, Seen)
    seen = step.step.images
    assert torch.equal(step.step.labels, labels)
    assert torch.equal(images, before)
    change = ((seen - images) * STD).abs()
    assert 0.19 < change.max() <= 0.2 + 1e-6
    pixels = seen * STD + MEAN
    assert pixels.min() >= -1e-6
    assert pixels.max() <= 1 + 1e-6
    assert loss(step.state.model, seen, labels) > loss(step.state.model, images, labels) + 0.1


def test_the_attack_leaves_statistics_mode_and_generators_alone(
    make_step: MakeStep, batch: tuple[Tensor, Tensor]
) -> None:
    step = make_step()
    before = {name: tensor.clone() for name, tensor in step.state.model.state_dict().items()}
    random_state = torch.get_rng_state()
    step.attack(*batch)
    after = step.state.model.state_dict()
    assert all(torch.equal(tensor, before[name]) for name, tensor in after.items())
    assert any("running_mean" in name for name in after)
    assert all(module.training for module in step.state.model.modules())
    assert all(parameter.grad is None for parameter in step.state.model.parameters())
    assert torch.equal(torch.get_rng_state(), random_state)


def test_seed_and_step_decide_the_images(make_step: MakeStep, batch: tuple[Tensor, Tensor]) -> None:
    first, again = make_step(), make_step()
    found = first.attack(*batch)
    torch.rand(3)  # No generator's state matters.
    assert torch.equal(again.attack(*batch), found)
    again.state.progress.step += 1
    assert not torch.equal(again.attack(*batch), found)
    other = make_step()
    other.data.seed += 1
    assert not torch.equal(other.random_starts(batch[0]), first.random_starts(batch[0]))


def test_neither_batches_nor_shards_nor_order_change_the_images(
    make_step: MakeStep, batch: tuple[Tensor, Tensor]
) -> None:
    images, labels = batch
    whole = make_step().attack(images, labels)
    assert torch.allclose(make_step(batch_size=7).attack(images, labels), whole, atol=1e-5)
    shards = []
    for rank in range(3):
        world = World()
        world.rank_info = RankInfo(rank, 3, rank, 3)
        part = world.shard(UPDATE)
        shards.append(make_step(world=world).attack(images[part], labels[part]))
    assert torch.allclose(torch.cat(shards), whole, atol=1e-5)
    twin = make_step()
    twin.reversed_starts = True
    assert torch.allclose(twin.attack(images.flip(0), labels.flip(0)).flip(0), whole, atol=1e-5)
    assert len(make_step().attack(images[:0], labels[:0])) == 0


def test_the_last_update_of_an_epoch_is_smaller(
    make_step: MakeStep, batch: tuple[Tensor, Tensor]
) -> None:
    step = make_step()
    step.state.progress.batch = step.data.steps_per_epoch
    rest = 640 % UPDATE
    assert len(step.attack(batch[0][:rest], batch[1][:rest])) == rest


@pytest.mark.parametrize(
    ("warmup_epochs", "step", "factor"),
    [(0.0, 1, 1.0), (1.0, 1, 1 / 11), (1.0, 11, 1.0), (2.0, 11, 0.5), (2.0, 99, 1.0)],
)
def test_epsilon_grows_during_the_warm_up(
    warmup_epochs: float, step: int, factor: float, make_step: MakeStep,
    batch: tuple[Tensor, Tensor],
) -> None:  # fmt: skip
    adversarial = make_step(f"trainer.adversary.warmup_epochs={warmup_epochs}")
    assert adversarial.data.steps_per_epoch == 11
    adversarial.state.progress.step = step
    assert adversarial.warmup_factor() == pytest.approx(factor)
    change = (adversarial.attack(*batch) - batch[0]).abs().max() * STD
    assert change == pytest.approx(0.2 * factor, rel=1e-3)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), (-MEAN / STD, (1 - MEAN) / STD)),
        (("transforms=none",), (0.0, 1.0)),
        (("transforms=crop",), (-MEAN / STD, (1 - MEAN) / STD)),
        (("transforms=augment",), (-MEAN / STD, (1 - MEAN) / STD)),
    ],
)
def test_black_and_white_behind_the_shipped_transforms(
    words: tuple[str, ...], expected: tuple[float, float], compose: Compose
) -> None:
    config = compose(*words)
    found = pixel_values(build_transforms(config.transforms.fixed, config.transforms.random))
    assert found == pytest.approx(expected, abs=1e-5)


class Square(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images**2


class Vignette(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images * torch.linspace(0.5, 1, 28)


@pytest.mark.parametrize("transform", [Square(), Vignette(), nn.Threshold(0.5, 0.0)])
def test_a_transform_that_bends_pixel_values_is_refused(transform: nn.Module) -> None:
    transforms = Transforms((transform, Normalize(MEAN, STD)), ())
    with pytest.raises(ConfigError, match=r"trainer\.adversary\.epsilon: .*Normalize"):
        pixel_values(transforms)


def test_bf16_stays_within_epsilon(make_step: MakeStep, batch: tuple[Tensor, Tensor]) -> None:
    step = make_step("device.precision=bf16")
    found = step.attack(*batch)
    assert found.dtype == torch.float32
    assert ((found - batch[0]) * STD).abs().max() <= 0.2 + 1e-6
    model, labels = step.state.model, batch[1]
    assert loss(model, found, labels) > loss(model, batch[0], labels) + 0.1
