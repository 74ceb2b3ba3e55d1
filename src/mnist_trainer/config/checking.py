"""Check values against annotations with ranges: what the typed settings are built on."""

import dataclasses
import math
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from mnist_trainer.config.ranges import Range
from mnist_trainer.errors import ConfigError

KIND_NAMES = {
    dict: "settings with a _target_",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
}


def check_value(annotation: Any, value: Any) -> tuple[Any, str | None]:
    """Check a value against its annotation.

    Returns:
        The value, a whole number as a float where the annotation is float; and what is wrong with
        it, or None.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        kind, allowed = arguments
        return _check_range(kind, allowed, value)
    if origin in (UnionType, Union):
        return _check_union(arguments, value)
    if origin is Literal:
        # True equals 1, but is another value.
        fits = any(value == each and type(value) is type(each) for each in arguments)
        return value, None if fits else f"must be one of: {', '.join(map(str, arguments))}"
    return _check_kind(origin or annotation, value)


def _check_kind(kind: Any, value: Any) -> tuple[Any, str | None]:
    if kind is float and type(value) is int:
        value = _as_float(value)
    # bool is a subclass of int, but true is not a number of epochs.
    fits = type(value) is kind and (kind is not float or math.isfinite(value))
    return value, None if fits else f"must be {KIND_NAMES.get(kind, kind)}"


def _as_float(value: int) -> float:
    """A whole number as a float; infinity where it is too large for one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _check_range(kind: Any, allowed: Range, value: Any) -> tuple[Any, str | None]:
    checked, problem = check_value(kind, value)
    if problem:
        return checked, f"{problem}, {allowed}"
    return checked, allowed.problem(checked)


def _check_union(annotations: tuple[Any, ...], value: object) -> tuple[Any, str | None]:
    """Check a value that may have several types, or be null."""
    if value is None and type(None) in annotations:
        return None, None
    problems: list[str] = []
    for annotation in annotations:
        if annotation is not type(None):
            checked, problem = check_value(annotation, value)
            if problem is None:
                return checked, None
            problems.append(problem.removeprefix("must be ") if problems else problem)
    return value, ", or ".join([*problems, *(["null"] if type(None) in annotations else [])])


class Checked:
    """A dataclass that checks its fields against their annotations when it is built."""

    def __post_init__(self) -> None:
        problems = []
        for name, annotation in annotations_of(type(self)).items():
            value, problem = check_value(annotation, getattr(self, name))
            object.__setattr__(self, name, value)
            if problem:
                problems.append(f"{name}={value}: {problem}")
        if problems:
            raise ConfigError(f"{type(self).__name__}: {'; '.join(problems)}")


def annotations_of(settings: type) -> dict[str, Any]:
    """Field name to annotation, ranges included, in the order of declaration."""
    hints = get_type_hints(settings, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(settings)}
