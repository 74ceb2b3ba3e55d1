"""What is asked by ``--find-lr``, what is refused, and the command that it ends with."""

import shlex
from contextlib import suppress

import pytest

from mnist_trainer.errors import ConfigError, ExitCode
from mnist_trainer.launch.command import resolve_command
from mnist_trainer.launch.find_lr.request import check_request, training_command
from mnist_trainer.launch.options import parse_command_line
from tests.command_lines import VALUES


def test_settings_of_the_test_are_no_overrides() -> None:
    line = parse_command_line(["model=fcn", "find_lr.seeds=7", "--find-lr", "find_lr.lowest=1e-3"])
    assert line.overrides == ["model=fcn"]
    assert line.find_lr is not None
    assert (line.find_lr.seeds, line.find_lr.lowest) == (7, 0.001)
    assert parse_command_line(["model=fcn"]).find_lr is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["find_lr.seeds=7"], "mnist-train --find-lr find_lr.seeds=7"),
        (["--find-lr=9"], "takes no value"),
        (["--find-lr", "find_lr.seed=7"], r"find_lr\.seeds\?"),
        (["--find-lr", "find_lr.seeds=1"], r"at least 2, such as find_lr\.seeds=5"),
        (["--find-lr", "find_lr.seeds=many"], "must be a whole number"),
        (["--find-lr", "find_lr.steps=1"], r"at least 8, such as find_lr\.steps=100"),
        (["--find-lr", "find_lr.judged_part=0"], r"in \(0, 1\]"),
        (["--find-lr", "find_lr.lowest=1", "find_lr.highest=0.1"], r"below find_lr\.highest=0\.1"),
        (["--find-lr", "--explain"], "exclude each other"),
        (["--find-lr", "--cfg", "job"], "exclude each other"),
        (["--find-lr", "-m"], "exclude each other"),
        (["--find_lr"], "Did you mean --find-lr"),
    ],
)
def test_a_mistake_is_answered(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse_command_line(words)
    assert caught.value.exit_code == ExitCode.CONFIG


@pytest.mark.parametrize(
    ("words", "processes", "said"),
    [
        (["hydra.mode=MULTIRUN"], 1, "with -m"),
        ([], 2, "under torchrun"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], processes: int, said: str) -> None:
    command = resolve_command(parse_command_line(["--find-lr", *words]))
    with pytest.raises(ConfigError, match=said):
        check_request(command, processes)


def test_a_test_of_one_process_is_allowed() -> None:
    check_request(resolve_command(parse_command_line(["--find-lr", "model=fcn"])), 1)


def test_the_command_trains_what_was_tested() -> None:
    argv = [
        *("--config-dir", "my own", "--find-lr", "model=fcn", "optimizer.lr=3", "find_lr.seeds=9"),
        *("+optimizer.lr=3", "hydra.run.dir=x", "name=a b", "optimizer.lrx=1"),
    ]
    typed = training_command(argv, "0.02", has_option=True)
    assert shlex.split(typed) == [
        *("mnist-train", "--config-dir", "my own", "model=fcn", "name=a b", "optimizer.lrx=1"),
        "optimizer.lr=0.02",
    ]
    assert training_command([], "0.02", has_option=False).endswith(" +optimizer.lr=0.02")


@pytest.mark.parametrize("key", ["steps", "lowest", "", "_metadata", "seeds.x"])
def test_any_value_is_understood_or_refused(key: str) -> None:
    for value in VALUES:
        with suppress(ConfigError):
            line = parse_command_line(["--find-lr", f"find_lr.{key}={value}"])
            assert line.find_lr is not None
