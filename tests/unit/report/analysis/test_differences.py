"""Differences of settings and environments: only what differs, whatever the files hold."""

from typing import Any

import pytest

from mnist_trainer.report.analysis.differences import (
    Difference,
    environment_differences,
    is_same,
    settings_differences,
    source_differences,
    unrecorded,
)
from tests.unit.report.conftest import BUILD, ENVIRONMENT


def changed(**sections: Any) -> dict[str, Any]:
    return {**ENVIRONMENT, **sections}


def test_equal_environments_have_no_difference() -> None:
    # The command names the folder, so it always differs, and says nothing.
    other = changed(command=["elsewhere"])
    assert environment_differences(ENVIRONMENT, other) == []
    assert source_differences(ENVIRONMENT, other) == []
    assert unrecorded(ENVIRONMENT) == []


def test_each_difference_has_its_key_and_both_values_in_the_order_of_the_file() -> None:
    other = changed(
        cpu={"name": "some", "threads": 1, "capability": "AVX512"},
        cuda="12.6",
        installed={**ENVIRONMENT["installed"], "pyyaml": "6.1"},
        variables={"OMP_NUM_THREADS": "2", "MKL_CBWR": "AVX2"},
        data_sha256={"t10k-images.gz": "b" * 64},
    )
    assert environment_differences(ENVIRONMENT, other) == [
        Difference("cpu.threads", 2, 1),
        Difference("cuda", None, "12.6"),
        Difference("variables.MKL_CBWR", None, "AVX2"),
        Difference("data_sha256.t10k-images.gz", "a" * 64, "b" * 64),
        Difference("packages.pyyaml", "6.0", "6.1"),
    ]


def test_a_package_in_both_lists_is_told_once() -> None:
    other = changed(
        packages={"torch": "2.8.0", "hydra-core": "1.3.2"},
        installed={"torch": "2.8.0", "hydra-core": "1.3.2"},
    )
    assert environment_differences(ENVIRONMENT, other) == [
        Difference("packages.torch", "2.7.1", "2.8.0"),
        Difference("packages.pyyaml", "6.0", None),
    ]


def test_build_settings_differ_by_name_and_other_lines_by_their_text() -> None:
    build = [line.replace("GCC 13.3", "GCC 11.2").replace("=mkl", "=open") for line in BUILD]
    assert environment_differences(ENVIRONMENT, changed(torch_build=build)) == [
        Difference("torch_build.BLAS_INFO", "mkl", "open"),
        Difference("torch_build", "GCC 13.3", "GCC 11.2"),
    ]


def test_an_older_folder_lacks_sections_and_that_is_no_difference() -> None:
    new = ("source", "variables", "torch_build", "installed")
    older = {key: value for key, value in ENVIRONMENT.items() if key not in new}
    assert environment_differences(older, ENVIRONMENT) == []
    assert source_differences(older, ENVIRONMENT) == []
    assert sorted(unrecorded(older)) == sorted(new)


def test_files_of_trusted_packages_and_revisions_are_source() -> None:
    source = {"revision": "4" * 40, "sha256": "2" * 64, "trusted": {"mine": {"net.py": "5"}}}
    found = source_differences(ENVIRONMENT, changed(source=source))
    # The source is the same, so the revisions tell of changes to other files.
    assert found == [
        Difference("source.trusted.mine.net.py", "3", "5"),
        Difference("source.revision", "1" * 40, "4" * 40, matters=False),
    ]
    for digest in ("6" * 64, None):
        found = source_differences(ENVIRONMENT, changed(source={**source, "sha256": digest}))
        assert all(each.matters for each in found)


@pytest.mark.parametrize("section", list(ENVIRONMENT))
@pytest.mark.parametrize("value", [None, 3, "text", [1, [2]], {"a": {"b": []}}, {}])
def test_a_section_may_be_anything(section: str, value: Any) -> None:
    other = changed(**{section: value})
    for found in (environment_differences, source_differences):
        assert found(other, other) == []
        assert [(each.b, each.a) for each in found(other, ENVIRONMENT)] == [
            (each.a, each.b) for each in sorted_like(found(ENVIRONMENT, other), other)
        ]
    assert environment_differences({}, other) == []


def sorted_like(found: list[Difference], other: dict[str, Any]) -> list[Difference]:
    """In the order in which the differences are found the other way round."""
    keys = [each.key for each in environment_differences(other, ENVIRONMENT)]
    keys += [each.key for each in source_differences(other, ENVIRONMENT)]
    return sorted(found, key=lambda each: keys.index(each.key))


def test_settings_without_effect_come_last_and_are_marked() -> None:
    a = {"name": "x", "data.root": "here", "optimizer.lr": 0.1, "trainer.epochs": 1}
    b = {"name": "y", "data.root": "here", "optimizer.lr": 0.2, "trainer.epochs": 1.0}
    assert settings_differences(a, b) == [
        Difference("optimizer.lr", 0.1, 0.2),
        Difference("name", "x", "y", matters=False),
    ]
    assert settings_differences(a, a) == []


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (float("nan"), float("nan"), True),
        ([1, {"x": 2.0}], [1.0, {"x": 2}], True),
        ([1], [1, 2], False),
        (None, "null", False),
        ("1", 1, False),
    ],
)
def test_values_are_compared_as_values(a: Any, b: Any, same: bool) -> None:
    assert is_same(a, b) is same
    assert is_same(b, a) is same


def test_a_group_that_is_off_in_both_runs_is_no_difference() -> None:
    old: dict[str, object] = {"seed": 0}
    off = {"seed": 0, "trainer.adversary.epsilon": None, "trainer.adversary.steps": 7}
    on = {**off, "trainer.adversary.epsilon": 0.3}
    assert settings_differences(old, off) == settings_differences(off, old) == []
    keys = [each.key for each in settings_differences(old, on)]
    assert keys == ["trainer.adversary.epsilon", "trainer.adversary.steps"]
