"""The verdict on two runs, from their folders alone."""

from pathlib import Path
from typing import Any

import pytest

from mnist_trainer.errors import ConfigError
from mnist_trainer.report.analysis.run_difference import (
    difference_of,
    difference_of_named,
    parts_sentence,
    verdict_of,
)
from mnist_trainer.report.read.records import read_run
from tests.unit.report.conftest import ENVIRONMENT, MakeRun, Pair


def test_equal_runs_are_the_same_bits(pair: Pair) -> None:
    found = pair()
    assert verdict_of(found)[0] == "same bits"
    assert verdict_of(found)[1].startswith("The two runs are equal bit for bit")
    assert parts_sentence(found) == "Settings, environment and code are equal."
    assert (found.settings, found.environment, found.code, found.results) == ((), (), (), ())


def test_the_step_is_named_with_what_differs(pair: Pair) -> None:
    environment = {**ENVIRONMENT, "cpu": {"name": "some", "threads": 4, "capability": "AVX512"}}
    patch = "diff --git a/src/x.py b/src/x.py\n+y\n"
    found = pair(
        ([0.5, 0.25], [0.5, 0.26]),
        environment=environment,
        settings={"optimizer.lr": 0.2},
        weights="v",
        files={"code.patch": patch, "config_files/mine.yaml": "seed: 1\n"},
    )
    verdict, sentence = verdict_of(found)
    assert verdict == "curves part"
    assert sentence.startswith("The curves part at step 2: its loss differs")
    assert parts_sentence(found) == (
        "Settings differ in optimizer.lr; environment differs in cpu.threads; code differs in"
        " code.patch: src/x.py, config_files/mine.yaml."
    )


def test_weights_and_losses_may_part_at_different_steps(pair: Pair) -> None:
    found = pair(([0.5, 0.25], [0.5, 0.26]), digests=((7, 8), (9, 10)))
    assert verdict_of(found)[1] == (
        "The curves part at step 1, the first: the weights after it differ, the loss from step 2"
        " on."
    )


def test_names_and_places_are_no_difference_of_settings(pair: Pair) -> None:
    found = pair(settings={"data.root": "elsewhere"})
    assert [(each.key, each.matters) for each in found.settings] == [("data.root", False)]
    assert verdict_of(found)[0] == "same bits"
    assert parts_sentence(found) == "Settings, environment and code are equal."


@pytest.mark.parametrize(
    ("trails", "weights", "verdict", "said"),
    [
        (([0.5], [0.5, 0.25]), "v", "same so far", "A ends at step 1, B at step 2"),
        (([0.5], [0.5]), "v", "results differ", "equal, but the results differ"),
        ((None, [0.5]), "w", "same weights", "a trail.bin in both would tell"),
        ((None, None), "v", "results differ", "equal, but the results differ"),
        (([0.5], [0.75]), "v", "curves part", "at step 1, the first: its loss differs"),
    ],
)
def test_verdicts(
    pair: Pair, trails: tuple[Any, Any], weights: str, verdict: str, said: str
) -> None:
    found = verdict_of(pair(trails, weights=weights))
    assert found[0] == verdict
    assert said in found[1]


def test_equal_weights_with_other_scores_were_tested_otherwise(pair: Pair) -> None:
    found = pair(test=0.8)
    assert found.same_weights
    assert verdict_of(found) == (
        "results differ",
        "The curves of 2 steps are equal, but the results differ. The tested weights are equal bit"
        " for bit.",
    )


def test_another_revision_of_the_same_source_is_shown_and_is_no_difference(pair: Pair) -> None:
    source = {**ENVIRONMENT["source"], "revision": "9" * 40}
    found = pair(environment={**ENVIRONMENT, "source": source})
    assert [each.key for each in found.source] == ["source.revision"]
    assert parts_sentence(found) == "Settings, environment and code are equal."


def test_what_an_older_folder_lacks_is_said(pair: Pair) -> None:
    older = {key: ENVIRONMENT[key] for key in ("python", "packages", "git_revision")}
    found = pair(([0.5], None), environment=older)
    assert found.not_recorded[0] == ()
    assert {"source", "variables", "trail.bin"} <= set(found.not_recorded[1])
    assert found.environment == ()
    assert parts_sentence(found).endswith("are equal as far as recorded.")


def test_a_run_without_anything_can_be_compared(pair: Pair, tmp_path: Path) -> None:
    found = pair()
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "config.yaml").write_text("[")
    bare = difference_of(found.a, read_run(tmp_path / "bare"))
    assert verdict_of(bare)[0] == "no curves"
    assert bare.same_weights is None
    assert any("config.yaml" in note for note in bare.notes)


def test_not_two_runs_is_a_mistake(make_run: MakeRun) -> None:
    runs = [read_run(make_run(name)) for name in "abc"]
    with pytest.raises(ConfigError, match="takes two runs; these are 3"):
        difference_of_named(["a", "."], [runs[:1], runs])
    with pytest.raises(ConfigError, match="this is 1, named more than once"):
        difference_of_named(["a", "latest"], [runs[:1], runs[:1]])
    found = difference_of_named(["c", "a"], [runs[2:], runs[:1]])
    assert (found.a.folder.path.name, found.b.folder.path.name) == ("c", "a")
