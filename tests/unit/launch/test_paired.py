"""Values that go together: rows of one word, and what of it reaches a job."""

import itertools

import pytest
from hydra.types import RunMode

from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.command import ResolvedCommand, resolve_command
from mnist_trainer.launch.options import parse_command_line
from mnist_trainer.launch.overrides import grid
from mnist_trainer.launch.paired import paired_rows, split_outside
from tests.conftest import Compose


def resolve(*words: str) -> ResolvedCommand:
    return resolve_command(parse_command_line(["-m", *words]))


def jobs_of(*words: str) -> list[list[str]]:
    command = resolve(*words)
    config = command.loader.compose([*command.words, "hydra.mode=MULTIRUN"], RunMode.MULTIRUN)
    jobs = command.jobs
    return [
        job
        for batch in grid(
            config, jobs.task_words, [block.axes for block in jobs.blocks], command.loader
        )
        for job in batch
    ]


@pytest.mark.parametrize(
    ("word", "rows"),
    [
        ("a:b=1:2,3:4", [("a=1", "b=2"), ("a=3", "b=4")]),
        ("a:b:c=1:2:3", [("a=1", "b=2", "c=3")]),
        (
            "a.x:+b=[1,2]:{k:v},null:'u:v,w'",
            [("a.x=[1,2]", "+b={k:v}"), ("a.x=null", "+b='u:v,w'")],
        ),
        ('a:b=${x:y}:"q\\"r,s"', [("a=${x:y}", 'b="q\\"r,s"')]),
        (r"a:b=1\:2:3", [(r"a=1\:2", "b=3")]),
    ],
)
def test_rows_of_a_word(word: str, rows: list[tuple[str, ...]]) -> None:
    assert list(paired_rows(word)) == rows


def test_parts_join_to_the_text() -> None:
    for letters in itertools.product("a,'([", repeat=5):
        text = "".join(letters)
        assert ",".join(split_outside(text, ",")) == text


def test_rows_are_combined_with_other_values_in_their_order() -> None:
    words = ("seed=0,1", "model:optimizer.lr=fcn:0.1,linear:0.2", "trainer.epochs=1,2")
    jobs = jobs_of(*words, "device=cpu")
    assert len(jobs) == 8
    assert jobs[:3] == [
        ["seed=0", "model=fcn", "optimizer.lr=0.1", f"trainer.epochs={epochs}", "device=cpu"]
        for epochs in (1, 2)
    ] + [["seed=0", "model=linear", "optimizer.lr=0.2", "trainer.epochs=1", "device=cpu"]]


def test_rows_make_the_jobs_that_single_words_make() -> None:
    paired = jobs_of("model:optimizer.lr=fcn:0.1,linear:0.2", "seed=3")
    single = [
        jobs_of(f"model={m}", f"optimizer.lr={lr}", "seed=3")
        for m, lr in (("fcn", 0.1), ("linear", 0.2))
    ]
    assert paired == [job for jobs in single for job in jobs]


def test_paired_settings_set_jobs_apart() -> None:
    command = resolve("model:optimizer.lr=fcn:0.1,linear:0.2", "device=cpu", "seed=1,2")
    assert command.fixed_keys == {"device"}
    assert command.jobs.swept_keys == {"model", "optimizer.lr", "seed"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("model:optimizer.lr=fcn:0.1,cnn",), "row 2, 'cnn', must have a value for each of the 2"),
        (("model:optimizer.lr=fcn:0.1:3",), "row 1"),
        (("model:optimizer.lr=fcn:",), "row 1"),
        (("model:=fcn:1",), "a key is missing beside a colon"),
        (("seed:seed=1:2",), "seed is named twice"),
        (("seed:hydra.mode=1:RUN",), "hydra.mode cannot be swept"),
        (("seed:trainer.epochs=1:range(3)",), r"trainer.epochs=range(3) stands for several"),
        (("model:seed=fcnn:1",), "Did you mean fcn?"),
        (("seed:trainer.epoch=1:2",), "Did you mean trainer.epochs"),
        (("seed:model=1:fcn", "model=cnn"), "model is set by another word, too"),
        (("seed:model=1:fcn", "hydra/sweeper=optuna"), "Leave hydra/sweeper out"),
    ],
)
def test_rows_that_are_wrong_are_refused(
    words: tuple[str, ...], said: str, compose: Compose
) -> None:
    with pytest.raises(ConfigError) as refused:
        compose("-m", *words)
    assert said in str(refused.value)


def test_rows_are_a_sweep(compose: Compose) -> None:
    with pytest.raises(ConfigError, match="several values are a sweep; add -m"):
        compose("model:seed=fcn:1")


def test_typed_places_are_typed_in_rows_too() -> None:
    command = resolve("data.root:seed=/a:1,/b:2")
    assert command.loader.typed_keys >= {"data.root", "seed"}


def test_more_jobs_than_anyone_means_are_refused() -> None:
    with pytest.raises(ConfigError, match="1,000,000 jobs, and a sweep has at most 100,000"):
        jobs_of("seed=range(1000)", "trainer.epochs=range(1,1001)")


def test_a_glob_stands_for_the_choices_in_each_job() -> None:
    assert jobs_of("model=glob(l*)") == [["model=lenet5"], ["model=linear"]]
