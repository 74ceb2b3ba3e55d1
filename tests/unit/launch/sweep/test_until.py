"""Seeds in rounds, with a launcher that writes results in place of training."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.command import resolve_command
from mnist_trainer.launch.options import parse_command_line
from mnist_trainer.launch.seed_options import Until
from mnist_trainer.launch.sweep.plan import show_plan
from mnist_trainer.launch.sweep.records import Sweep
from mnist_trainer.launch.sweep.until import (
    Rounds,
    names_of,
    recipes_of,
    require_same_rule,
    without_seed,
)
from mnist_trainer.report.analysis.sequential import Verdict
from mnist_trainer.report.read.decision import Decision, read_decision
from mnist_trainer.report.read.records import read_run
from mnist_trainer.report.render.decision import decision_blocks, sentences

EFFECTS = {"a": 0.0, "b": 0.04, "c": 0.0}


@dataclass
class Launched:
    working_dir: str


@dataclass
class ResultWriter:
    """Writes the result of each job that has none; accuracies by recipe and seed."""

    folder: Path
    fails: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)
    written: int = 0

    def launch(self, batch: Sequence[Sequence[str]], **_: int) -> list[Launched]:
        return [self._job(list(words)) for words in batch]

    def _job(self, words: list[str]) -> Launched:
        name = ",".join(words)
        self.asked.append(name)
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        recipe, seed = words[0].partition("=")[2], int(words[1].partition("=")[2])
        noise = random.Random(f"{recipe}{seed}").gauss(0, 0.01)  # noqa: S311
        correct = round(1000 * (0.8 + EFFECTS[recipe] + noise))
        scores = {"accuracy": correct / 1000, "images": 1000, "correct": correct}
        status: dict[str, Any] = {"status": "completed", "validation": scores, "test": scores}
        if name in self.fails:
            status = {"status": "failed"}
        if not (folder / "result.json").exists():
            self.written += 1
            (folder / "result.json").write_text(json.dumps(status))
        return Launched(str(folder))


def searched(
    folder: Path, most: int = 12, earlier: Decision | None = None, **options: Any
) -> tuple[Decision, ResultWriter]:
    writer = ResultWriter(folder, **options)
    recipes = [["net=a"], ["net=b"], ["net=c"]]
    sweep = Sweep(folder, "", 0)
    launcher: Any = writer
    rounds = Rounds(Until(0.1, most), recipes, 100, launcher, sweep, None)
    return rounds.run(earlier), writer


def test_seeds_go_to_what_is_open(tmp_path: Path) -> None:
    found, writer = searched(tmp_path)
    assert found.latest[1].verdict is Verdict.APART
    assert found.latest[1].seeds < found.latest[2].seeds == 12
    assert found.latest[2].verdict is Verdict.SPENT
    seeds = {recipe: sum(f"net={recipe}," in name for name in writer.asked) for recipe in "abc"}
    assert seeds == {"a": 12, "b": found.latest[1].seeds, "c": 12}
    assert "net=a,seed=100" in writer.asked


def test_sentences_name_width_seeds_and_correction(tmp_path: Path) -> None:
    apart, spent, corrected = sentences(searched(tmp_path)[0])
    assert apart.startswith("net=b is better than net=a by ")
    assert spent.startswith(
        "net=c and net=a cannot be told apart by 0.1 points with 12 seeds a side"
    )
    assert "corrected for" in corrected
    assert "2 comparisons" in corrected


def test_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    found, _ = searched(tmp_path)
    assert read_decision(tmp_path, []) == found


def test_interrupted_search_goes_on(tmp_path: Path) -> None:
    whole, _ = searched(tmp_path)
    rounds = json.loads((tmp_path / "decision.json").read_text())
    rounds["rounds"] = rounds["rounds"][:2]
    (tmp_path / "decision.json").write_text(json.dumps(rounds))
    again, writer = searched(tmp_path, earlier=read_decision(tmp_path, []))
    assert writer.written == 0
    assert again == whole == read_decision(tmp_path, [])


def test_looks_are_not_taken_again(tmp_path: Path) -> None:
    failed = frozenset({"net=b,seed=101"})
    first, _ = searched(tmp_path, fails=failed)
    (tmp_path / "net=b,seed=101" / "result.json").unlink()
    again, writer = searched(tmp_path, earlier=read_decision(tmp_path, []))
    assert writer.written == 1
    assert again == first
    assert first.rounds[0][1].seeds == 2


def test_failed_jobs_are_no_pairs(tmp_path: Path) -> None:
    found, _ = searched(tmp_path, fails=frozenset(f"net=c,seed={100 + k}" for k in range(12)))
    assert found.latest[2].verdict is Verdict.SPENT
    assert found.latest[2].value is None
    assert "too few pairs" in " ".join(sentences(found))


def test_another_rule_is_refused(tmp_path: Path) -> None:
    found, _ = searched(tmp_path)
    assert require_same_rule(tmp_path, Decision(found.rule, found.recipes, 100)) == found
    for other in (
        Decision(found.rule, found.recipes, 0),
        Decision(found.rule, ("net=a", "net=b", "net=x"), 100),
    ):
        with pytest.raises(ConfigError, match="by another rule"):
            require_same_rule(tmp_path, other)
    (tmp_path / "decision.json").write_text('{"rounds": [[{"recipe": 7}]]}')
    with pytest.raises(ConfigError, match="cannot be read"):
        require_same_rule(tmp_path, found)


def test_report_shows_the_looks(tmp_path: Path) -> None:
    found, _ = searched(tmp_path)
    runs = [read_run(path.parent) for path in tmp_path.glob("*/result.json")]
    *said, table = decision_blocks(runs)
    assert [each.text for each in said] == sentences(found)  # type: ignore[union-attr]
    assert len(table.rows) == sum(map(len, found.rounds))  # type: ignore[union-attr]


def test_recipes_are_the_combinations_without_seeds() -> None:
    words = ["-m", "model=fcn,cnn", "optimizer.lr=0.1,0.2", "trainer.epochs=1", "seed=7"]
    command = resolve_command(parse_command_line([*words, "--until", "width=1,max=9"]))
    recipes = recipes_of(command.composed, command.jobs, command.loader)
    assert len(recipes) == 4
    assert names_of(recipes)[1] == "model=fcn optimizer.lr=0.2"
    assert command.config.seed == 7
    assert "seed" not in without_seed(command).fixed_keys


def test_recipes_of_values_that_go_together() -> None:
    words = ["-m", "model:optimizer.lr=fcn:0.1,cnn:0.05", "trainer.epochs=1,2"]
    command = resolve_command(parse_command_line([*words, "--until", "width=1,max=9"]))
    recipes = recipes_of(command.composed, command.jobs, command.loader)
    assert recipes == [
        [f"model={model}", f"optimizer.lr={rate}", f"trainer.epochs={epochs}"]
        for model, rate in (("fcn", "0.1"), ("cnn", "0.05"))
        for epochs in (1, 2)
    ]


def test_seeds_of_a_paired_word_are_refused() -> None:
    words = ["-m", "seed:optimizer.lr=0:0.1,1:0.05", "--until", "width=1,max=9"]
    with pytest.raises(ConfigError, match="Leave seed out"):
        without_seed(resolve_command(parse_command_line(words)))


def test_plan_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-m", "model=fcn,linear", "--plan", "0.1", "--until", "width=0.1,max=60"]
    show_plan(resolve_command(parse_command_line(words)), 0.1)
    said = capsys.readouterr().out
    assert "To show a difference of 0.1 points takes" in said
    assert "shipped records" in said
    assert "With --until width=0.1,max=60" in said
    assert "Nothing was run" in said


def test_plan_without_any_record_says_what_to_type() -> None:
    command = resolve_command(parse_command_line(["-m", "model=convnet", "--plan", "0.1"]))
    with pytest.raises(ConfigError, match="Train a few seeds first"):
        show_plan(command, 0.1)
