"""The ways do the same work: that is what makes the ratio of their times mean something."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from benchmarks.__main__ import parse
from benchmarks.loops import BARE, PRODUCT, TUTORIAL, Ways, open_ways
from benchmarks.product import InTurns, compose_config
from benchmarks.quick_recipe import make_model, read_split
from benchmarks.recipes import measure_recipes
from benchmarks.results import UnavailableError

from mnist_trainer.data.batches import EpochSampler
from mnist_trainer.data.cache import cache_root
from mnist_trainer.data.loading import load_dataset
from mnist_trainer.models.summary import count_parameters

STEPS = 2


@pytest.fixture(scope="module")
def ways() -> Iterator[Ways]:
    with open_ways("docs_cnn", "cpu", STEPS) as opened:
        yield opened


def test_all_ways_begin_with_the_same_weights_and_recipe(ways: Ways) -> None:
    models = {
        TUTORIAL: ways.tutorial.model,
        PRODUCT: ways.product.trainer.state.model,
        BARE: ways.bare.model,
    }
    expected = models[TUTORIAL].state_dict()
    for model in models.values():
        assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())
    settings = [
        {key: way.param_groups[0][key] for key in ("lr", "momentum", "weight_decay", "nesterov")}
        for way in (
            ways.tutorial.optimizer,
            ways.product.trainer.state.optimizer,
            ways.bare.optimizer,
        )
    ]
    assert settings[0] == settings[1] == settings[2]


def test_all_ways_test_the_same_images(ways: Ways) -> None:
    assert ways.tutorial.test() == ways.product.test() == ways.bare.test()


def test_all_ways_prepare_an_image_alike(ways: Ways) -> None:
    image, label = ways.tutorial.train_loader.dataset[7]
    assert torch.allclose(image, ways.bare.images[7], atol=1e-6)
    assert label == int(ways.bare.labels[7])
    test_image, _ = ways.tutorial.test_loader.dataset[7]
    assert torch.allclose(test_image, ways.product.trainer.evaluator.test.images[7], atol=1e-6)


def test_a_turn_of_the_product_is_so_many_steps_of_its_own_loop(ways: Ways) -> None:
    progress = ways.product.trainer.progress
    before = progress.step
    ways.product.train()
    ways.product.train()
    assert (progress.step - before, progress.batch) == (2 * STEPS, 2 * STEPS)
    progress.batch = ways.product.trainer.data.steps_per_epoch - STEPS - 1
    ways.product.train()
    assert (progress.epoch, progress.batch) == (1, 0)


def test_turns_go_through_an_epoch_without_gap_or_repetition() -> None:
    class Numbers:
        def epoch(
            self, sampler: EpochSampler, start: int
        ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            return ((torch.tensor(number), sampler.indices) for number in range(start, 7))

    sampler = EpochSampler(torch.arange(7), torch.empty(7, 0), 0)
    turns = InTurns(Numbers(), 3)
    seen = [[int(images) for images, _ in turns.epoch(sampler, start)] for start in (0, 3, 6, 0)]
    assert seen == [[0, 1, 2], [3, 4, 5], [6], [0, 1, 2]]


def test_the_published_recipe_reads_the_data_as_the_product_does() -> None:
    data = compose_config().data
    expected = load_dataset(data).test
    images, labels = read_split(cache_root(data) / "MNIST" / "raw", "t10k")
    assert torch.equal(labels, expected.labels)
    assert torch.allclose(images[:100], (expected.images[:100] / 255 - 0.1307) / 0.3081, atol=1e-5)
    assert make_model()(images[:3]).shape == (3, 10)


def test_the_published_recipe_has_the_published_size() -> None:
    assert count_parameters(make_model()) == 26 * 24 + 217 * 32 + 801 * 256 + 257 * 10


def test_an_experiment_that_does_not_exist_is_skipped_with_the_ones_that_do() -> None:
    with pytest.raises(UnavailableError, match=r"experiment=no_such_thing; there are: .*docs_cnn"):
        measure_recipes("quick", ["no_such_thing"], seeds=1, warm_up=0)


def test_too_few_rounds_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--rounds", "4"])
    assert "fewer than 5" in capsys.readouterr().err
    assert parse([]).rounds_or(25) == 25
    assert parse(["--rounds", "7"]).rounds_or(25) == 7


def test_a_trial_keeps_no_results_unless_told_where(tmp_path: Path) -> None:
    assert parse(["--quick"]).folder is None
    assert parse(["--quick", "--output", str(tmp_path)]).folder == tmp_path
    assert "experiments" not in parse([]).only
