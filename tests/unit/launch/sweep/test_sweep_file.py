"""A sweep from a file: its blocks of jobs, and what it may not say."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_trainer.errors import ConfigError, RefusedError
from mnist_trainer.launch.sweep.command import resume_command
from mnist_trainer.launch.sweep.sweep_file import read_sweep_file
from tests.conftest import Compose
from tests.unit.launch.test_paired import jobs_of, resolve

Written = Callable[[str], str]
STUDY = """
# What is asked.
question: Does a wider network
  need a lower rate?
settings: {trainer: {epochs: 1}, model.hidden: [8, 9], name: my run}
sweep: {seed: range(2)}
blocks:
  - name: wide
    settings: {model: fcn, trainer.epochs: 2}
    paired:
      - {optimizer: adam, optimizer.lr: 1e-3}
      - {optimizer.momentum: 0.5}
  - sweep: {optimizer.lr: [0.1, 2], model.bias: [true]}
"""


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """A sweep file of this content; the word that names it."""

    def made(content: str) -> str:
        path = tmp_path / "study.yaml"
        path.write_text(content)
        return f"sweep_file={path}"

    return made


def test_blocks_become_jobs(written: Written) -> None:
    found = read_sweep_file(written(STUDY).partition("=")[2])
    assert found.question == "Does a wider network need a lower rate?"
    wide, other = found.blocks
    assert (wide.name, other.name) == ("block 1 (wide)", "block 2")
    assert [axis.rows for axis in wide.axes] == [
        (("model.hidden=[8,9]",),),
        (("name=my run",),),
        (("model=fcn",),),
        (("trainer.epochs=2",),),
        (("optimizer=adam", "optimizer.lr=0.001"), ("optimizer.momentum=0.5",)),
        (("seed=0",), ("seed=1",)),
    ]
    assert [axis.rows for axis in other.axes][-3:] == [
        (("optimizer.lr=0.1",), ("optimizer.lr=2",)),
        (("model.bias=true",),),
        (("seed=0",), ("seed=1",)),
    ]


def test_settings_that_differ_between_blocks_set_jobs_apart(written: Written) -> None:
    word = written(
        "settings: {trainer.epochs: 1}\n"
        "blocks: [{settings: {model: fcn}}, {settings: {model: linear}}]"
    )
    command = resolve(word, "device=cpu")
    assert command.jobs.fixed == {"trainer.epochs": "trainer.epochs=1", "device": "device=cpu"}
    assert command.jobs.swept_keys == {"model"}
    assert jobs_of(word, "device=cpu") == [
        ["trainer.epochs=1", f"model={model}", "device=cpu"] for model in ("fcn", "linear")
    ]


def test_what_is_typed_prevails(written: Written) -> None:
    word = written(
        "sweep: {seed: range(3)}\n"
        "paired: [{model: fcn, optimizer.lr: 1}, {model: linear, optimizer.lr: 1}]"
    )
    assert jobs_of(word, "seed=7", "model=fcn") == [["optimizer.lr=1", "seed=7", "model=fcn"]]
    assert len(jobs_of(word, "trainer.epochs=1,2")) == 12


def test_notation_of_hydra_is_read(written: Written) -> None:
    word = written("sweep: {model: glob(l*), seed: 'range(1,3)'}")
    assert [tuple(job) for job in jobs_of(word)] == [
        (f"model={model}", f"seed={seed}") for model in ("lenet5", "linear") for seed in (1, 2)
    ]


def test_text_is_read_as_it_is_typed(written: Written) -> None:
    word = written("settings: {name: 'a, \"b\": é', optimizer.lr: '1e-2', data.per_class: null}")
    command = resolve(word)
    plain = command.config.plain
    assert plain["name"] == 'a, "b": é'
    assert (plain["optimizer"]["lr"], plain["data"]["per_class"]) == (0.01, None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no sweep. It may have: question, settings, sweep, paired, blocks"),
        ("- a", "holds no sweep"),
        ("setings: {seed: 1}", "Did you mean settings?"),
        ("blocks: []", "blocks must be a list of blocks"),
        ("blocks: [3]", "block 1: blocks must be a list of mappings"),
        ("blocks: [{question: x}]", "block 1: question is no part"),
        ("settings: [1]", "settings must be a mapping of settings"),
        ("settings: {seed: '0,1'}", "several values, where one is needed"),
        ("sweep: {seed: 1}", "sweep: seed: 1: must be a list or a range"),
        ("sweep: {seed: []}", "must be a list or a range"),
        ("sweep: {optimizer.lr: 'interval(0,1)'}", "must be a list or a range"),
        ("paired: {seed: [1]}", "paired must be a list of rows"),
        ("sweep: {seed: [1]}\nsettings: {seed: 1}", "seed is set more than once"),
        ("question: [1]", "question: must be text"),
        ("settings: {1: 2}", "'1' is not the name of a setting"),
        ("settings: {hydra/launcher: joblib}", "type it on the command line: hydra/launcher=..."),
        ("settings: {sweep: x}", "belongs to the command"),
        ("settings: {sweep_file: x}", "belongs to the command"),
        ("settings: {model: cnnn}", "Did you mean cnn?"),
        ("settings: {modle: cnn}", "block 1: modle is not a setting. Did you mean model?"),
        ("paired: [{seed: 1}, {optimizer.lrr: 1}]", "Did you mean optimizer.lr?"),
        ("a: &x 1\nb: *x", "aliases are not read"),
        ("settings: {seed: 1", "not valid YAML"),
    ],
)
def test_a_file_that_is_wrong_is_refused(content: str, said: str, written: Written) -> None:
    with pytest.raises(ConfigError) as refused:
        resolve(written(content))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        "settings: {data.root: /elsewhere}",
        "settings: {data: {mirror: 'http://elsewhere'}}",
        "settings: {+tracker.extra: {_target_: mnist_trainer.trackers.MLflowTracker, uri: 'http://x'}}",
        "settings: {loss._target_: os.system}",
        "paired: [{seed: 1}, {data.root: /elsewhere}]",
    ],
)
def test_a_file_chooses_no_place_and_no_code(content: str, written: Written) -> None:
    with pytest.raises(RefusedError):
        resolve(written(content))


def test_a_file_reads_no_environment(written: Written) -> None:
    with pytest.raises(ConfigError, match="may not read the environment"):
        resolve(written("settings: {name: '${oc.env:HOME}'}"))


def test_every_mistake_is_named(written: Written) -> None:
    with pytest.raises(ConfigError) as refused:
        resolve(written("setings: 1\npaired: 2\nsweep: {seed: 3}"))
    assert str(refused.value).count("sweep_file=") == 3


def test_a_file_needs_a_sweep_that_runs_it_all(written: Written, compose: Compose) -> None:
    word = written(STUDY)
    with pytest.raises(ConfigError, match="a sweep file starts many runs; add -m"):
        compose(word)
    with pytest.raises(ConfigError, match="Leave hydra/sweeper out"):
        compose("-m", written("sweep: {seed: [1, 2]}"), "hydra/sweeper=optuna")
    with pytest.raises(ConfigError, match="one sweep file at a time"):
        compose("-m", "sweep_file=a.yaml,b.yaml")
    with pytest.raises(ConfigError, match="No such file"):
        compose("-m", "sweep_file=missing.yaml")


def test_the_file_names_the_folder() -> None:
    argv = ["-m", "sweep_file=study.yaml"]
    assert resume_command(argv, Path("study")) == "mnist-train -m sweep_file=study.yaml"
