"""The options of a card on the command line."""

import pytest

from mnist_trainer.cli.eval import parse
from mnist_trainer.cli.eval_card import check_options
from mnist_trainer.errors import ConfigError
from mnist_trainer.inference.card.parts import PARTS


@pytest.mark.parametrize(
    ("words", "effort", "parts"),
    [
        (["RUN", "--card"], "full", PARTS),
        (["RUN", "--card", "quick"], "quick", PARTS),
        (["RUN", "--card", "--parts", "shifts,clean"], "full", ("clean", "shifts")),
        (["RUN"], None, ()),
    ],
)
def test_effort_and_parts(words: list[str], effort: str | None, parts: tuple[str, ...]) -> None:
    arguments = parse(words)
    assert arguments.card == effort
    assert check_options(arguments) == parts


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["RUN", "--card", "quik"], r"--card quik.*Did you mean quick\?\nType: .*--card quick"),
        (["--card", "RUN"], r"--card RUN: must be quick or full.*\nType: mnist-eval RUN --card"),
        (["RUN", "--parts", "clean"], r"--parts clean.*Type: mnist-eval RUN --card --parts clean"),
        (["RUN", "--card", "--parts", "clen"], r"clen is no part.*Did you mean clean\?"),
        (["RUN", "--card", "--split", "train"], r"--split train with --card.*Leave out --split"),
        (["RUN", "--card", "--data", "qmnist"], r"--data qmnist with --card"),
    ],
)
def test_mistakes_are_answered(words: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){told}"):
        check_options(parse(words))
