"""The code of a run as environment.json and code.patch record it."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_trainer.compute import source
from mnist_trainer.compute.environment import arithmetic_variables, installed_packages
from mnist_trainer.compute.source import (
    combined_digest,
    describe_source,
    file_digests,
    source_patch,
)


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=n", "-c", "user.email=n@example.org")
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which the package and a file beside it are committed."""
    package = tmp_path / "src" / "package"
    package.mkdir(parents=True)
    (package / "code.py").write_text("RATE = 1\n")
    (tmp_path / "secrets.txt").write_text("none\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    monkeypatch.setattr(source, "PACKAGE", package)
    return tmp_path


def test_the_patch_holds_changes_of_the_package_and_of_nothing_else(checkout: Path) -> None:
    assert source_patch() == b""
    (checkout / "secrets.txt").write_text("password\n")
    (checkout / "src" / "package" / "code.py").write_text("RATE = 2\n")
    patch = source_patch()
    assert b"+RATE = 2" in patch
    assert b"password" not in patch
    git(checkout, "checkout", "-q", ".")
    subprocess.run(["git", "apply"], cwd=checkout, input=patch, check=True)
    assert (checkout / "src" / "package" / "code.py").read_text() == "RATE = 2\n"


def test_git_is_not_run_where_the_repository_names_a_program(checkout: Path) -> None:
    (checkout / "src" / "package" / "code.py").write_text("RATE = 2\n")
    mark = checkout / "ran"
    git(checkout, "config", "core.fsmonitor", f"touch {mark}")
    assert source_patch() == b""
    assert not mark.exists()


def test_a_patch_that_is_too_large_is_left_out(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MAX_PATCH_BYTES", 100)
    (checkout / "src" / "package" / "code.py").write_text("RATE = 2\n" * 100)
    assert source_patch() == b""


def test_the_digest_of_the_source_changes_with_any_file_and_any_name(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x")
    digests = file_digests(tmp_path)
    assert digests == {"a.py": hashlib.sha256(b"x").hexdigest()}
    before = combined_digest(digests)
    shutil.move(tmp_path / "a.py", tmp_path / "b.py")
    assert combined_digest(file_digests(tmp_path)) != before
    (tmp_path / "b.py").rename(tmp_path / "a.py")
    (tmp_path / "a.py").write_text("y")
    assert combined_digest(file_digests(tmp_path)) != before


def test_source_files_of_a_trusted_package_are_named_with_their_hashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_trusted_module.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("MNIST_TRAINER_TRUST", "my_trusted_module.Net, not_imported")
    __import__("my_trusted_module")
    try:
        expected = hashlib.sha256(b"X = 1\n").hexdigest()
        trusted = {"my_trusted_module": {"my_trusted_module.py": expected}}
        assert describe_source()["trusted"] == trusted
    finally:
        del sys.modules["my_trusted_module"]


def test_only_variables_that_change_arithmetic_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    monkeypatch.setenv("API_TOKEN", "secret")
    monkeypatch.setenv("OMP_PLACES", "x" * 1000)
    assert arithmetic_variables() == {"MKL_CBWR": "COMPATIBLE", "OMP_PLACES": "x" * 200}


def test_installed_packages_are_those_that_the_standard_library_finds() -> None:
    from importlib.metadata import version

    found = installed_packages()
    assert {name: version(name) for name in ("torch", "pytest", "hydra-core")}.items() <= (
        found.items()
    )
