"""The git revision of the working directory, without running what its repository names.

A repository's own configuration can name programs that git runs (``core.fsmonitor``, filters). So
the revision is read from the repository's files, and git is asked for uncommitted changes only
where every line of the configuration is one that is known to run nothing.
"""

import re
import subprocess
from pathlib import Path

from mnist_trainer.errors import DataError
from mnist_trainer.runs.read import read_file

REVISION = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
MAX_BYTES = 4 * 2**20
# Sections of .git/config, and keys of [core], that name no program.
HARMLESS_SECTIONS = frozenset({"remote", "branch", "user"})
HARMLESS_CORE_KEYS = frozenset(
    {
        "repositoryformatversion",
        "filemode",
        "bare",
        "logallrefupdates",
        "ignorecase",
        "precomposeunicode",
        "symlinks",
        "autocrlf",
    }
)
# Overrides for what may be set elsewhere: no monitor, no hooks; submodules are other repositories.
ASK_FOR_CHANGES = [
    *("git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
    *("--no-optional-locks", "status", "--porcelain", "--untracked-files=no"),
    "--ignore-submodules=all",
]


def describe_revision(folder: Path) -> str | None:
    """The revision, with "+changes" where the working tree differs from it; None outside a
    repository."""
    revision = git_revision(folder)
    return revision and revision + ("+changes" if _has_changes(folder) else "")


def git_revision(folder: Path) -> str | None:
    """Revision that is checked out in the folder or the repository around it; None outside one."""
    for parent in (folder, *folder.parents):
        if (parent / ".git").exists():
            git = _git_folder(parent / ".git")
            return None if git is None else _resolve(git, _line(git / "HEAD"))
    return None


def _git_folder(path: Path) -> Path | None:
    """The repository's folder: ``.git`` itself, or what it names where it is a file (worktrees)."""
    if path.is_dir():
        return path
    text = _line(path)
    return path.parent / text.removeprefix("gitdir:").strip() if text else None


def _resolve(git: Path, head: str | None) -> str | None:
    """The revision that ``HEAD`` leads to: itself, a file of its branch, or a line of the packed
    references."""
    if head is None or REVISION.fullmatch(head):
        return head
    reference = head.removeprefix("ref:").strip()
    if not re.fullmatch(r"refs(/[\w.@+-]+)+", reference) or ".." in reference:
        return None
    common = _line(git / "commondir")
    found = (
        revision
        for folder in (git, git / common if common else git)
        for revision in (_line(folder / reference) or "", *_packed(folder, reference))
    )
    return next((revision for revision in found if REVISION.fullmatch(revision)), None)


def _packed(folder: Path, reference: str) -> list[str]:
    """Revisions that ``packed-refs`` has for a reference."""
    lines = (line.partition(" ") for line in (_text(folder / "packed-refs") or "").splitlines())
    return [revision for revision, _, name in lines if name == reference]


def _text(path: Path) -> str | None:
    try:
        return read_file(path, MAX_BYTES).decode("utf-8", "replace")
    except DataError:
        return None


def _line(path: Path) -> str | None:
    return (_text(path) or "").partition("\n")[0].strip() or None


def _has_changes(folder: Path) -> bool:
    """Whether git finds uncommitted changes; False where it is not safe to ask."""
    root = next(parent for parent in (folder, *folder.parents) if (parent / ".git").exists())
    if not asks_git_safely(root):
        return False
    try:
        asked = subprocess.run(ASK_FOR_CHANGES, cwd=root, capture_output=True, timeout=5)
        return bool(asked.stdout)
    except (OSError, subprocess.SubprocessError):
        return False


def asks_git_safely(root: Path) -> bool:
    """Whether git can be run in a repository without running what its configuration names."""
    return (root / ".git").is_dir() and is_harmless(_text(root / ".git" / "config") or "")


def is_harmless(config: str) -> bool:
    """Whether each line of a git configuration is known to run no program."""
    section = ""
    for line in map(str.strip, config.splitlines()):
        if header := re.fullmatch(r'\[(\w+)(?: "[^"]*")?\]', line):
            section = header[1].lower()
        elif key := re.fullmatch(r"(\w+)\s*=.*(?<!\\)", line):
            if section == "core" and key[1].lower() not in HARMLESS_CORE_KEYS:
                return False
        elif line and line[0] not in "#;":
            return False
        if (
            section != "core"
            and section not in HARMLESS_SECTIONS
            and line[:1] not in ("", "#", ";")
        ):
            return False
    return True
