"""Rounding is measured by training, and a real difference is told from it."""

import pytest

from mnist_trainer.compute.device import select_device
from mnist_trainer.launch.reproduce.rounding import FACTOR, Rounding, measure_rounding
from mnist_trainer.runs.trail import Parting
from mnist_trainer.training.twin import reversed_twin
from tests.conftest import Compose

WORDS = (
    "device=cpu",
    "data.train_limit=640",
    "data.validation_limit=50",
    "data.test_limit=50",
    "tracker=none",
)
STEP = 5


def test_the_bound_is_a_factor_of_the_twin_s_size() -> None:
    assert Rounding(found=FACTOR * 1e-7, twin=1e-7).fits
    assert not Rounding(found=FACTOR * 1.01e-7, twin=1e-7).fits


@pytest.mark.parametrize(
    "words",
    [("model=cnn",), ("model=fcn", "model.dropout=0.3", "trainer.engine=manual")],
    ids=["autograd", "dropout by hand"],
)
def test_an_ulp_is_rounding_and_a_thousandth_is_not(
    compose: Compose, words: tuple[str, ...]
) -> None:
    config = compose(*words, *WORDS)
    device = select_device(config.device)
    losses = reversed_twin(config, device, first=99, last=STEP + 3)
    here = losses[STEP]
    ratios = []
    for there in (here + 2e-7, here + 1e-3):
        parting = Parting(STEP, (there, here), STEP - 1, None)
        found = measure_rounding(config, device, parting, losses)
        assert found is not None
        ratios.append(found.ratio)
    assert ratios[0] <= FACTOR < ratios[1]


def test_a_run_whose_steps_before_are_not_repeated_cannot_be_calibrated(compose: Compose) -> None:
    config = compose("model=linear", *WORDS)
    device = select_device(config.device)
    parting = Parting(STEP, (1.0, 2.0), STEP - 1, None)
    losses = dict.fromkeys(range(1, STEP + 3), 2.0)
    assert measure_rounding(config, device, parting, losses) is None


def test_digests_alone_tell_no_size(compose: Compose) -> None:
    config = compose("model=linear", *WORDS)
    parting = Parting(STEP, None, STEP, STEP)
    assert measure_rounding(config, select_device(config.device), parting, {}) is None
