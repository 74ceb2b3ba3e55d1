"""``--plan`` and ``--until`` on the command line."""

import pytest

from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.command import resolve_command
from mnist_trainer.launch.options import parse_command_line
from mnist_trainer.launch.seed_options import Until, pop_plan, pop_until


@pytest.mark.parametrize("words", [["--until", "width=0.5,max=60"], ["--until=max=60, width=5e-1"]])
def test_rule_is_read(words: list[str]) -> None:
    assert pop_until(["-m", *words, "a=1"]) == (["-m", "a=1"], Until(0.5, 60))


@pytest.mark.parametrize("words", [["--plan", "0.1"], ["--plan=0.1"]])
def test_plan_is_read(words: list[str]) -> None:
    assert pop_plan([*words, "a=1"]) == (["a=1"], 0.1)


@pytest.mark.parametrize(
    "text",
    ["width=0.5", "max=60", "width=0,max=60", "width=nan,max=60", "width=200,max=60",
     "width=1,max=2", "width=1,max=1e9", "width=1,max=60,max=60", "width=1,max=60,look=3", "5"],
)  # fmt: skip
def test_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--until width=0\.2,max=60"):
        pop_until(["--until", text])


@pytest.mark.parametrize(
    "words", [["--plan"], ["--plan", "-m"], ["--plan", "x"], ["--plan", "1", "--plan", "2"]]
)
def test_no_difference_is_refused(words: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"--plan 0\.1"):
        pop_plan(words)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["model=fcn,cnn"], "add -m"),
        (["model=fcn"], "with -m"),
        (["-m", "model=fcn,cnn", "seed=0,1"], "seed=0,1"),
        (["-m", "model=fcn,cnn", "hydra/sweeper=optuna"], "sweeper"),
    ],
)
def test_commands_without_a_comparison_are_refused(words: list[str], reason: str) -> None:
    pytest.importorskip("optuna")
    with pytest.raises(ConfigError, match=reason):
        resolve_command(parse_command_line([*words, "--until", "width=0.5,max=60"]))


def test_options_are_no_settings() -> None:
    plain = resolve_command(parse_command_line(["-m", "model=fcn,cnn"]))
    asked = resolve_command(
        parse_command_line(["-m", "model=fcn,cnn", "--until", "width=0.5,max=9", "--plan", "1"])
    )
    assert asked.words == plain.words
    assert asked.config == plain.config
