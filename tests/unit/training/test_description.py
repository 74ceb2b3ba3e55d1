"""Settings that change nothing in a run are named at its start."""

import pytest

from mnist_trainer.compute.device import select_device
from mnist_trainer.training.description import settings_without_effect
from tests.conftest import Compose


@pytest.mark.parametrize(
    ("word", "held_out", "named"),
    [
        ("trainer.patience=3", 0, True),
        ("trainer.patience=3", 5000, False),
        ("trainer.monitor=loss", 0, True),
        ("trainer.monitor=loss", 5000, False),
        ("data.num_workers=2", 5000, True),
        ("data.num_workers=0", 5000, False),
        ("device.graph=true", 5000, True),
        ("device.graph=auto", 5000, False),
    ],
)
def test_a_setting_without_effect_is_named(
    word: str, held_out: int, named: bool, compose: Compose
) -> None:
    config = compose("device=cpu", word)
    device = select_device(compose("device=cpu").device)
    assert [
        each.partition(" ")[0] for each in settings_without_effect(config, held_out, device)
    ] == ([word] if named else [])
