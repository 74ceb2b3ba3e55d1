"""Verdicts: what they rest on, and what is refused."""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mnist_trainer.errors import ConfigError
from mnist_trainer.report.analysis.comparison import compare, compare_named
from mnist_trainer.report.analysis.statistics import welch
from mnist_trainer.report.read.records import RunRecord, SplitMetrics
from mnist_trainer.report.render.comparison_document import comparison_document
from mnist_trainer.report.render.markdown import markdown
from mnist_trainer.report.render.run_document import run_document
from mnist_trainer.report.render.sweep_document import sweep_document
from mnist_trainer.runs.predictions import Predictions, write_predictions

RunsOf = Callable[..., list[RunRecord]]
AB = ("A", "B")


def test_recipes_that_differ(runs_of: RunsOf) -> None:
    """The tutorial recipes' own accuracies."""
    a, b = [0.978, 0.977, 0.976], [0.988, 0.987, 0.985]
    found = compare(runs_of("a", a, settings={"model": "fcn"}), runs_of("b", b), AB)
    assert found.verdict == "distinguishable"
    assert found.sentence.startswith(
        "fcn and cnn are distinguishable: cnn is better by 0.97 percentage points"
    )
    assert found.difference == welch(a, b, 1 / 1000)
    assert (
        f"{100 * found.difference.low:.2f} to {100 * found.difference.high:.2f}" in found.sentence
    )


def test_verdict_is_independent_of_the_order(runs_of: RunsOf) -> None:
    fcn, cnn = (
        runs_of("a", [0.978, 0.977, 0.976], settings={"model": "fcn"}),
        runs_of("b", [0.988, 0.987, 0.985]),
    )
    one, other = compare(fcn, cnn, AB), compare(cnn, fcn, AB)
    assert one.sentence.partition(": ")[2] == other.sentence.partition(": ")[2]
    assert other.difference is not None
    assert other.difference.high < 0


def test_a_recipe_and_itself_under_other_seeds(runs_of: RunsOf) -> None:
    found = compare(
        runs_of("a", [0.976, 0.977, 0.975]), runs_of("b", [0.977, 0.965, 0.976], first_seed=3), AB
    )
    assert found.verdict == "not distinguishable"
    assert (found.a.name, found.b.name) == ("cnn-sgd (seeds 0, 1, 2)", "cnn-sgd (seeds 3, 4, 5)")


def test_images_do_not_decide_where_seeds_do(runs_of: RunsOf) -> None:
    """Each pair of runs differs on many images, once this way and once that: no reason to call the
    recipes different."""
    found = compare(runs_of("a", [0.99, 0.90]), runs_of("b", [0.90, 0.99], first_seed=2), AB)
    assert all(pair.test.p < 1e-6 for pair in found.pairs)
    assert found.verdict == "not distinguishable"


def test_one_seed_is_no_verdict_on_recipes(runs_of: RunsOf) -> None:
    found = compare(runs_of("a", [0.90], settings={"model": "fcn"}), runs_of("b", [0.99]), AB)
    assert found.verdict == "no verdict"
    assert found.difference is None
    assert "one seed" in found.sentence
    assert "that of cnn is better on these 1,000 images" in found.sentence
    close = compare(runs_of("c", [0.950], settings={"model": "fcn"}), runs_of("d", [0.953]), AB)
    assert "These two sets of weights are not distinguishable" in close.sentence


def test_one_seed_on_one_side(runs_of: RunsOf) -> None:
    found = compare(runs_of("a", [0.9, 0.91], settings={"model": "fcn"}), runs_of("b", [0.99]), AB)
    assert found.verdict == "no verdict"
    assert "cnn was trained with one seed" in found.sentence


def test_without_predictions_seeds_still_decide(runs_of: RunsOf) -> None:
    found = compare(
        runs_of("a", [0.9, 0.91], predictions=False, settings={"model": "fcn"}),
        runs_of("b", [0.99, 0.98]),
        AB,
    )
    assert found.pairs == ()
    assert found.verdict == "distinguishable"
    assert "older version" in found.notes[0]


def test_a_repeated_run_is_counted_once(runs_of: RunsOf) -> None:
    runs = runs_of("a", [0.90, 0.90, 0.90], result={"weights_sha256": "same"})
    found = compare(runs, runs_of("b", [0.91, 0.92], settings={"model": "fcn"}), AB)
    assert found.verdict == "no verdict"
    assert "counted once" in " ".join(found.notes)


def test_unfinished_runs_are_left_out_and_named(runs_of: RunsOf) -> None:
    running = runs_of("c", [None], first_seed=2)
    found = compare(
        [*runs_of("a", [0.9, 0.91]), *running],
        runs_of("b", [0.99, 0.98], settings={"model": "fcn"}),
        AB,
    )
    assert len(found.a.runs) == 2
    assert "c-2 (running)" in found.notes[0]
    with pytest.raises(ConfigError, match="no completed run"):
        compare(running, runs_of("d", [0.9]), AB)


def test_incomparable_runs_are_refused(runs_of: RunsOf) -> None:
    runs = runs_of("a", [0.9, 0.91])
    with pytest.raises(ConfigError, match="on both sides"):
        compare(runs, runs, AB)
    with pytest.raises(ConfigError, match="holds runs of 2 recipes"):
        compare(
            [*runs, *runs_of("b", [0.9], settings={"model": "fcn"})],
            runs_of("c", [0.9], first_seed=5),
            AB,
        )
    with pytest.raises(ConfigError, match="different images") as caught:
        compare(runs, runs_of("d", [0.9, 0.91], settings={"data.name": "fashion_mnist"}), AB)
    assert "fashion_mnist" in str(caught.value)
    fewer = {"test": {"accuracy": 0.9, "correct": 90, "images": 100}}
    with pytest.raises(ConfigError, match="100 test images"):
        compare(runs, runs_of("e", [0.9], result=fewer, settings={"model": "fcn"}), AB)


def test_other_files_of_the_same_name_are_other_images(runs_of: RunsOf) -> None:
    others = runs_of("b", [0.9, 0.91], settings={"model": "fcn"})
    for run in others:
        run.environment["data_sha256"]["t10k-images"] = "b" * 64
    with pytest.raises(ConfigError, match="different images"):
        compare(runs_of("a", [0.9, 0.91]), others, AB)


def test_one_folder_may_hold_two_recipes(runs_of: RunsOf) -> None:
    two = [*runs_of("a", [0.9, 0.91]), *runs_of("b", [0.98, 0.99], settings={"model": "fcn"})]
    assert compare_named(["s"], [two]).verdict == "distinguishable"
    assert compare_named(["s", "t", "u", "v"], [[run] for run in two]).verdict == "distinguishable"
    with pytest.raises(ConfigError, match="takes two recipes; this is 1"):
        compare_named(["s"], [two[:2]])
    with pytest.raises(ConfigError, match="these are 3"):
        compare_named(["s"], [[*two, *runs_of("c", [0.9], settings={"model": "linear"})]])


def test_singular_for_one(runs_of: RunsOf) -> None:
    """One run a side, and one test image, which one of the two got wrong."""
    sides = [runs_of(name, [1.0], settings={"model": name}) for name in "ab"]
    for (run,), predicted in zip(sides, (0, 1), strict=True):
        one = Predictions(
            np.array([predicted], np.uint16),
            np.ones(1, np.float32),
            np.zeros(1, np.uint16),
            ("0", "1"),
        )
        write_predictions(run.folder.predictions, one)
    ones = [replace(run, test=SplitMetrics(1.0, 0.1, 1, 1)) for (run,) in sides]
    found = compare(ones[:1], ones[1:], ("a", "b"))
    documents = [
        comparison_document(found),
        run_document(ones[1], with_images=False),
        sweep_document(ones[1:], "s"),
    ]
    said = " ".join(map(markdown, documents)) + str(documents)
    assert "on this 1 image (McNemar" in said
    assert "Confusion matrix of 1 test image:" in said
    assert "The only mistake" in said
    assert not re.findall(r"\b1 (?:[a-z]+ )?(?:images|runs|groups|epochs|mistakes|seeds)\b", said)
