"""The layout of result.json, job.json and sweep.json: the types that their values have.

No torch here: a command line is answered before it is imported.
"""

from collections.abc import Callable, Mapping
from typing import Any

from mnist_trainer.runs.read import number


def record_problem(values: object) -> str | None:
    """What of the values is not of the type or range that it should be; None where nothing is."""
    if not isinstance(values, dict):
        return "it holds no JSON object"
    for key, (holds, kind) in FIELDS.items():
        if key in values and not holds(values[key]):
            return f"{key} is not {kind}"
    return None


def is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def is_number(value: object) -> bool:
    return number(value) is not None


def _is_score(score: Any) -> bool:
    """Whether the values that are there are in range, and agree up to rounding."""
    if score is None:
        return True
    if not isinstance(score, dict) or "accuracy" not in score:
        return False
    accuracy, loss = score["accuracy"], score.get("loss", 0.0)
    correct, images = score.get("correct", 0), score.get("images", 1)
    if not (is_number(accuracy) and is_number(loss) and is_count(correct) and is_count(images)):
        return False
    complete = score.keys() >= {"accuracy", "correct", "images"}
    agree = round(accuracy * images) == correct if complete else True
    return 0 <= accuracy <= 1 and correct <= images > 0 and agree


def _are_seconds(seconds: Any) -> bool:
    return isinstance(seconds, dict) and all(
        is_number(spent) and spent >= 0 for spent in seconds.values()
    )


def _are_throughput(values: Any) -> bool:
    return isinstance(values, dict) and all(
        value is None or (is_number(value) and value >= 0) for value in values.values()
    )


def _is_best(best: Any) -> bool:
    return best is None or (isinstance(best, dict) and is_count(best.get("epoch")))


def _are_plain(values: Any) -> bool:
    return isinstance(values, dict) and all(
        not isinstance(value, dict | list) for value in values.values()
    )


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _are_objects(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, dict) for value in values)


def _fields(
    holds: Callable[[Any], bool], kind: str, *names: str
) -> Mapping[str, tuple[Callable[[Any], bool], str]]:
    return dict.fromkeys(names, (holds, kind))


FIELDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    **_fields(_is_text, "text", "status", "identity", "weights_sha256",
              "last_weights_sha256", "resumed_from", "host", "command", "question"),
    **_fields(is_count, "a whole number from 0", "epochs", "tested_epoch", "steps", "seed",
              "parameters", "processes", "exit_code", "attempts", "number", "total",
              "ended_before"),
    **_fields(lambda value: type(value) is int, "a whole number", "pid"),
    **_fields(_is_flag, "true or false", "stopped_early", "goes_on", "from_checkpoint"),
    **_fields(_is_score, "accuracy, correct and images that agree", "test", "validation"),
    **_fields(_is_best, "the number of an epoch", "best"),
    **_fields(_are_seconds, "numbers from 0", "seconds"),
    **_fields(_are_throughput, "numbers from 0, or null", "throughput"),
    **_fields(_are_plain, "a value for each key", "settings", "apart"),
    **_fields(_are_objects, "a list of jobs", "jobs"),
}  # fmt: skip
