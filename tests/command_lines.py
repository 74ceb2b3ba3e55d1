"""Random command lines, of the words that real ones are made of and of garbage."""

import random
from collections.abc import Iterator
from typing import Any

from omegaconf import OmegaConf

from mnist_trainer.config.shipped import config_dir, group_choices, group_names

MARKS = (
    *"=,:;'\"\\[]{}()$%*?~+-@#!&|<>/. \t\n\r\x00\x01\x1b\x7f",
    "${", "}", "${oc.env:HOME}", "${oc.env:", "${seed}", "${now:%Y}", "\\${", "''", '""', "//",
    "..", "\u00e4", "\u6570", "\U0001f600", "\u202e", "\u200b", "\ufeff", "\udcff", "\u0301",
)  # fmt: skip
VALUES = (
    "0", "1", "-1", "2", "1e5", "1e400", "-0.0", "nan", "inf", "-inf", "null", "true", "off", "",
    "1" + "0" * 30, "9" * 5000, "0x10", "1_000", "abc", "[]", "{}", "[1,2]", "[[1]]", "{a:1}",
    "[1,2", "{a:", "'x", "range(3)", "range(0,1e9)", "choice(1,2)", "interval(0,1)", "glob(*)",
    "sort(3,1)", "shuffle(1,2)", "float(1)", "int(a)", "str(1)", "json_str(1)", "extend_list(1)",
    "tag(a,choice(1,2))", "???", "os.system", "torch.nn.Linear", "a" * 300, "x/" * 3000, "~",
    "~x/y", "../x", "/dev/null", "1,2,3", "a,b", ",", "1,,2", "latest", "auto",
)  # fmt: skip
OPTIONS = (
    "-m", "--multirun", "--cfg", "job", "hydra", "all", "--info", "--explain", "--explain=backward",
    "--config-dir", "--config-name", "--config-path", "--resolve", "-p", "--package", "--run",
    "-r",
    "--shell-completion", "--experimental-rerun", "--", "-", "--x", "-x", "-cd", "-cn", "--m",
    "--data", "--data-root", "--split", "--device", "--output", "--json", "--no-figures",
    "--digits",
    "--checkpoint", "--format", "--top", "--show", "--show-dir", "--html", "--csv", "--compare",
    "--html=", "--top=0", "--format=onnx", "--format=nothing", "--json=1", "--markdown",
)  # fmt: skip


def known_keys() -> list[str]:
    """Every key of the shipped configurations, their groups, and some of Hydra's."""
    keys = {"seed", "name", "sweep", "resume", "resume_allow_changes", *group_names()}
    for group in group_names():
        for choice in group_choices(group):
            node: Any = OmegaConf.to_container(
                OmegaConf.load(config_dir() / group / f"{choice}.yaml"), resolve=False
            )
            keys |= {f"{group}.{key}" for key in node}
    hydra = ("run.dir", "sweep.dir", "sweep.subdir", "mode", "verbose", "job.name", "job.env_set.A")
    more = ("searchpath", "output_subdir", "job_logging", "launcher", "sweeper.max_batch_size")
    return sorted(keys | {f"hydra.{key}" for key in (*hydra, *more)} | {"hydra/launcher", "hydra"})


def command_lines(seed: int, count: int) -> Iterator[list[str]]:
    """As many lists of words, the same ones for the same seed."""
    draw = random.Random(seed)  # noqa: S311
    keys = known_keys()
    choices = [f"{group}={choice}" for group in group_names() for choice in group_choices(group)]
    for _ in range(count):
        yield [_word(draw, keys, choices) for _ in range(draw.randint(1, 5))]


def _word(draw: random.Random, keys: list[str], choices: list[str]) -> str:
    word: str
    kind = draw.random()
    if kind < 0.15:
        word = draw.choice(OPTIONS)
    elif kind < 0.3:
        word = draw.choice(choices)
    elif kind < 0.85:
        prefix = draw.choice(("", "", "", "+", "++", "~"))
        word = f"{prefix}{draw.choice(keys)}{draw.choice(('=', '=', '=', '', '==', '@x='))}"
        word += draw.choice(VALUES)
    else:
        word = "".join(draw.choice((*MARKS, "a", "1")) for _ in range(draw.randint(0, 8)))
    return _damaged(draw, word) if draw.random() < 0.3 else word


def _damaged(draw: random.Random, word: str) -> str:
    """A word with a character put in, left out or replaced."""
    place = draw.randint(0, len(word))
    kept = word[place + draw.randint(0, 1) :]
    mark: str = draw.choice(("", *MARKS))
    return word[:place] + mark + kept
