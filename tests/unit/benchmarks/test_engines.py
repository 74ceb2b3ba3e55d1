"""The comparison of the engines, and its table in the docs."""

import json

import pytest
import torch
from benchmarks.engines import PAGE, Reversed, Trained, compare, refresh, table
from benchmarks.results import RESULTS

from mnist_trainer.data.batches import EpochSampler


def test_the_page_holds_the_table_of_the_results() -> None:
    assert refresh(write=False) == 0
    report = json.loads((RESULTS / "engines.json").read_text(encoding="utf-8"))
    assert table(report) in PAGE.read_text(encoding="utf-8")


def test_what_the_page_says_of_the_results_is_what_they_say() -> None:
    """The prose below the table: it must go if another measurement says otherwise."""
    details = json.loads((RESULTS / "engines.json").read_text(encoding="utf-8"))["details"]
    single, double = details["fp32"], details["float64"]
    assert {one["steps"] for one in (*single.values(), *double.values())} == {938}
    for engine in ("manual", "numpy"):
        assert (
            single[engine]["largest_difference"]
            < 2 * single["autograd, batches reversed"]["largest_difference"]
        )
        assert single[engine]["largest_of_the_first_100"] < 1e-4
        assert double[engine]["largest_difference"] < 1e-10
        assert single[engine]["accuracy"] == pytest.approx(
            single["autograd"]["accuracy"], abs=0.004
        )


def test_a_difference_is_found_where_it_is() -> None:
    compared = compare(
        {"autograd": Trained([2.0, 1.0, 0.5], 0.9), "other": Trained([2.0, 1.25, 0.5], 0.8)}
    )
    assert compared["other"]["largest_difference"] == 0.25
    assert compared["other"]["at_step"] == 2
    assert compared["autograd"]["largest_difference"] == 0


def test_the_control_shows_the_same_images_in_another_order() -> None:
    class Two:
        def epoch(self, *_: object) -> object:
            yield torch.tensor([[1.0], [2.0]]), torch.tensor([1, 2])

    sampler = EpochSampler(torch.arange(2), torch.empty(2, 0), 0)
    ((images, labels),) = Reversed(Two()).epoch(sampler, 0)  # type: ignore[arg-type]
    assert (images.tolist(), labels.tolist()) == ([[2.0], [1.0]], [2, 1])
