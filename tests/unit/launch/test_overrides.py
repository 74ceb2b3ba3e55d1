"""Overrides: what a swept setting stands for."""

import pytest

from mnist_trainer.config.shipped import group_choices
from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.hydra.loader import open_loader
from mnist_trainer.launch.options import parse_command_line
from mnist_trainer.launch.overrides import each_value, parse_overrides
from tests.conftest import Compose


@pytest.mark.parametrize(
    ("word", "valid"),
    [
        ("seed=range(0)", "seed=0,1,2"),
        ("seed=shuffle(range(3,1))", "seed=0,1,2"),
        ("model=glob(nosuch*)", "Valid: "),
    ],
)
@pytest.mark.parametrize("others", [(), ("model=linear",), ("optimizer.lr=0.1,0.2",)], ids=str)
def test_a_sweep_without_values_is_refused_by_name(
    word: str, valid: str, others: tuple[str, ...], compose: Compose
) -> None:
    with pytest.raises(ConfigError) as refused:
        compose("-m", word, *others)
    assert str(refused.value).startswith(f"{word}: there are no values in it")
    assert valid in str(refused.value)


def test_glob_stands_for_the_choices_of_a_group() -> None:
    loader = open_loader(parse_command_line(["-m", "model=glob(*)"]))
    (override,) = parse_overrides(["model=glob(*)"], loader)
    assert each_value(override) == [f"model={choice}" for choice in group_choices("model")]
