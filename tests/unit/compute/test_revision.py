"""The git revision: read without running anything that a repository names."""

import os
import subprocess
from pathlib import Path

import pytest

from mnist_trainer.compute.revision import describe_revision, git_revision, is_harmless


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.txt").write_text("a")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_revision_equals_that_of_git(repository: Path) -> None:
    (repository / "below").mkdir()
    expected = git(repository, "rev-parse", "HEAD").strip()
    assert git_revision(repository / "below") == expected
    git(repository, "pack-refs", "--all")
    assert git_revision(repository) == expected
    git(repository, "checkout", "-q", "--detach")
    assert git_revision(repository) == expected


def test_revision_of_a_worktree(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("worktree") / "tree"
    git(repository, "worktree", "add", "-q", "-b", "other", str(other))
    assert git_revision(other) == git(repository, "rev-parse", "HEAD").strip()


def test_uncommitted_changes_are_marked(repository: Path) -> None:
    revision = git_revision(repository)
    assert describe_revision(repository) == revision
    (repository / "a.txt").write_text("b")
    assert describe_revision(repository) == f"{revision}+changes"


def test_a_touched_file_is_no_change(repository: Path) -> None:
    os.utime(repository / "a.txt", (1, 1))
    assert describe_revision(repository) == git_revision(repository)


@pytest.mark.parametrize("key", ["core.fsmonitor", "filter.evil.clean", "include.path"])
def test_programs_of_a_hostile_repository_do_not_run(repository: Path, key: str) -> None:
    mark = repository / "mark"
    (repository / ".gitattributes").write_text("* filter=evil\n")
    (repository / "evil.sh").write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    (repository / "evil.sh").chmod(0o755)
    git(repository, "config", key, str(repository / "evil.sh"))
    (repository / "a.txt").write_text("c")
    assert describe_revision(repository) == git_revision(repository) is not None
    assert not mark.exists()


def test_no_repository_no_revision(tmp_path: Path) -> None:
    assert describe_revision(tmp_path) is None


@pytest.mark.parametrize("head", ["ref: ../../../etc/passwd", "", "x" * 40, "ref: refs/heads/none"])
def test_odd_heads_have_no_revision(tmp_path: Path, head: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text(head)
    assert git_revision(tmp_path) is None


@pytest.mark.parametrize(
    ("config", "harmless"),
    [
        ("[core]\n\tbare = false\n", True),
        ('[remote "origin"]\n\turl = x\n[branch "main"]\n\tmerge = y\n', True),
        ("[core]\n\tfsmonitor = ./x\n", False),
        ("[core] fsmonitor = ./x\n", False),
        ("[CORE]\n\tFsMonitor = ./x\n", False),
        ("[core]\n\tbare = fal\\\n se\n", False),
        ('[filter "x"]\n\tclean = ./x\n', False),
        ("[include]\n\tpath = x\n", False),
    ],
)
def test_harmless_configurations(config: str, harmless: bool) -> None:
    assert is_harmless(config) is harmless
