"""Differences of two runs in settings, environment and source: keys with two values, plain data.

The values come from files of unknown origin, so they may be of any type that JSON has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from mnist_trainer.runs.config_hash import is_idle, is_unhashed
from mnist_trainer.runs.read import flatten, number

ENVIRONMENT = (
    *("python", "platform", "device", "cpu", "cuda", "world", "variables", "data_sha256"),
    *("torch_build", "packages", "installed"),
)
"""Sections of environment.json that are about the machine, its software and the data; those of
which many lines can differ come last."""
SOURCE = ("source", "git_revision")
"""Sections that are about the code."""
REVISIONS = ("source.revision", "git_revision")


@dataclass(frozen=True)
class Difference:
    """One key in which two runs differ."""

    key: str
    a: Any
    """None where the first run has no such key, or null."""
    b: Any
    matters: bool = True
    """False for that on which the outcome does not depend, such as the name of a folder."""


def settings_differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """Settings that differ, by flat keys; those on which the outcome does not depend come last."""
    found = [
        Difference(each.key, each.a, each.b, not is_unhashed(each.key))
        for each in _differ(a, b)
        if not (is_idle(each.key, a) and is_idle(each.key, b))
    ]
    return sorted(found, key=lambda each: not each.matters)


def environment_differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """Differences of two environment.json outside the code, such as ``cpu.threads``.

    A section that one of the two lacks, as folders of older versions do, is left out:
    ``unrecorded`` names it.
    """
    keys = [key for key in ENVIRONMENT if key in a and key in b]
    plain = [key for key in keys if key not in ("packages", "installed", "torch_build")]
    found = _differ(_flat(a, plain), _flat(b, plain))
    found += _package_differences(a, b, keys)
    if "torch_build" in keys:
        found += _build_differences(a["torch_build"], b["torch_build"])
    return sorted(found, key=lambda each: keys.index(_section(each.key, keys)))


def source_differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """Differences of two environment.json in the code: digest of the package's source, digests of
    the files of trusted packages, revisions. These do not matter where the digests are equal: then
    the commits between them touch other files."""
    keys = [key for key in SOURCE if key in a and key in b]
    flat_a, flat_b = _flat(a, keys), _flat(b, keys)
    digest = flat_a.get("source.sha256")
    is_same_source = digest is not None and digest == flat_b.get("source.sha256")
    found = [
        replace(each, matters=not (is_same_source and each.key in REVISIONS))
        for each in _differ(flat_a, flat_b)
    ]
    return sorted(found, key=lambda each: not each.matters)


def unrecorded(environment: Mapping[str, Any]) -> list[str]:
    """Sections that an environment.json lacks: it was written by an older version."""
    return [key for key in (*ENVIRONMENT, *SOURCE) if key not in environment]


def is_same(a: Any, b: Any) -> bool:
    """Whether two plain values are equal: 1 and 1.0 are, 1 and true are not, NaN equals NaN."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(is_same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(is_same, a, b))
    if number(a) is not None and number(b) is not None:
        return bool(a == b)
    return type(a) is type(b) and (a == b or repr(a) == repr(b))


def _differ(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    return [
        Difference(key, a.get(key), b.get(key))
        for key in dict.fromkeys((*a, *b))
        if not is_same(a.get(key), b.get(key))
    ]


def _flat(environment: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Sections by flat keys, without the empty ones."""
    flat = flatten({key: environment[key] for key in keys})
    return {key: value for key, value in flat.items() if value != {}}


def _package_differences(
    a: Mapping[str, Any], b: Mapping[str, Any], keys: Sequence[str]
) -> list[Difference]:
    """Versions that differ; a package stands in two sections, and is listed once."""
    found: dict[str, Difference] = {}
    for name in ("packages", "installed"):
        if name in keys:
            for each in _differ(*(_flat({"packages": env[name]}, ["packages"]) for env in (a, b))):
                found.setdefault(each.key, each)
    return list(found.values())


def _build_differences(a: Any, b: Any) -> list[Difference]:
    """Lines of PyTorch's build configuration that only one has, beside each other in their order;
    the settings in its one long line (``BLAS_INFO=mkl, ...``) by name."""
    (settings_a, lines_a), (settings_b, lines_b) = _build_parts(a), _build_parts(b)
    common = set(lines_a) & set(lines_b)
    only_a, only_b = ([x for x in lines if x not in common] for lines in (lines_a, lines_b))
    pairs = zip_longest(only_a, only_b)
    found = _differ(settings_a, settings_b)
    return [*found, *(Difference("torch_build", *pair) for pair in pairs)]


def _build_parts(build: Any) -> tuple[dict[str, Any], list[str]]:
    settings: dict[str, Any] = {}
    lines: list[str] = []
    for line in map(str, build if isinstance(build, list) else [build]):
        head, marked, rest = line.partition("Build settings:")
        if not marked or head.strip(" -"):
            lines.append(line.strip(" -"))
            continue
        for part in rest.strip().removesuffix(",").split(", "):
            name, _, value = part.partition("=")
            settings[f"torch_build.{name.strip()}"] = value
    return settings, lines


def _section(key: str, keys: Sequence[str]) -> str:
    """The section that a flat key belongs to; names of files may hold dots, sections do not."""
    section = key.partition(".")[0]
    return section if section in keys else keys[-1]
