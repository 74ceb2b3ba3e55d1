"""Typed settings: right values pass unchanged, wrong ones are named."""

import dataclasses
from typing import Annotated, Literal

import pytest

from mnist_trainer.config.checking import check_value
from mnist_trainer.config.ranges import Range
from mnist_trainer.config.settings import AdversarySettings, TrackerSettings, TrainerSettings
from mnist_trainer.errors import ConfigError
from tests.conftest import Compose


@pytest.mark.parametrize(
    ("annotation", "value", "read"),
    [
        (int, 3, 3),
        (float, 3, 3.0),
        (bool, True, True),
        (str, "a", "a"),
        (int | None, None, None),
        (Annotated[int, Range(low=1)] | None, 1, 1),
        (Annotated[float, Range(low=0, low_open=True)], 1e-9, 1e-9),
        (Literal["a", "b"], "b", "b"),
        (Literal["auto"] | bool, "auto", "auto"),
        (Literal["auto"] | bool, False, False),
        (Literal["auto"] | bool | None, None, None),
    ],
)
def test_valid_values_take_the_annotated_type(
    annotation: object, value: object, read: object
) -> None:
    checked, problem = check_value(annotation, value)
    assert problem is None
    assert checked == read
    assert type(checked) is type(read)


@pytest.mark.parametrize(
    ("annotation", "value", "said"),
    [
        (int, 1.5, "whole number"),
        (int, True, "whole number"),
        (int, "3", "whole number"),
        (float, "fast", "a number"),
        (float, float("nan"), "a number"),
        (float, float("inf"), "a number"),
        (bool, 1, "true or false"),
        (str, 3, "text"),
        (int | None, "none", "or null"),
        (Annotated[int, Range(low=1)], 0, "at least 1"),
        (Annotated[float, Range(low=0, low_open=True)], 0.0, "greater than 0"),
        (Annotated[float, Range(low=0, high=1, high_open=True)], 1.0, "[0, 1)"),
        (Literal["a", "b"], "c", "a, b"),
        (Literal[1, 3], True, "1, 3"),
        (Literal["auto"] | bool, "on", "must be one of: auto, or true or false"),
        (Literal["auto"] | bool, None, "must be one of: auto, or true or false"),
        (Literal["auto"] | bool | None, 1, "must be one of: auto, or true or false, or null"),
    ],
)
def test_invalid_values_name_what_is_valid(annotation: object, value: object, said: str) -> None:
    _, problem = check_value(annotation, value)
    assert problem is not None
    assert said in problem


def test_settings_built_in_python_are_checked(compose: Compose) -> None:
    settings = compose().trainer
    with pytest.raises(ConfigError, match=r"epochs=0: must be at least 1.*log_every=-5"):
        dataclasses.replace(settings, epochs=0, log_every=-5)


def test_settings_cannot_be_changed(compose: Compose) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        compose().trainer.epochs = 3  # type: ignore[misc]


def test_no_setting_has_a_default_in_python() -> None:
    for kind in (AdversarySettings, TrainerSettings, TrackerSettings):
        for field in dataclasses.fields(kind):
            assert field.default is dataclasses.MISSING, (
                f"{kind.__name__}.{field.name}: defaults belong in configs/"
            )
