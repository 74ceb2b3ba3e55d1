"""The code of a run: digests of its source files, and the changes of a checkout that git knows."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from mnist_trainer.compute.revision import asks_git_safely, git_revision
from mnist_trainer.config.allow_list import TRUST_VARIABLE

PACKAGE = Path(__file__).parents[1]
MAX_FILES = 2000
MAX_PATCH_BYTES = 1_000_000
PATCH = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=all", "HEAD")


def describe_source() -> dict[str, Any]:
    """Revision and digest of this package's source, and the digests of each trusted package's
    files, as plain values."""
    trusted = os.environ.get(TRUST_VARIABLE, "").split(",")
    names = sorted({name.strip().partition(".")[0] for name in trusted if name.strip()})
    return {
        "revision": git_revision(PACKAGE),
        "sha256": combined_digest(file_digests(PACKAGE)),
        "trusted": {name: digests for name in names if (digests := package_digests(name))},
    }


def package_digests(name: str) -> dict[str, str]:
    """Relative path to SHA-256 of the Python files of an imported package or module; empty where
    it was not imported."""
    origin = getattr(sys.modules.get(name), "__file__", None)
    if origin is None:
        return {}
    path = Path(origin)
    return file_digests(path.parent) if path.name == "__init__.py" else {path.name: _digest(path)}


def file_digests(folder: Path) -> dict[str, str]:
    """Relative path to SHA-256 of the Python files below a folder, at most ``MAX_FILES``."""
    paths = sorted(folder.rglob("*.py"))[:MAX_FILES]
    return {path.relative_to(folder).as_posix(): _digest(path) for path in paths}


def combined_digest(digests: dict[str, str]) -> str:
    """One SHA-256 of several files, their names included."""
    return hashlib.sha256("\n".join(f"{n} {d}" for n, d in digests.items()).encode()).hexdigest()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def source_patch() -> bytes:
    """Uncommitted changes of this package's own files, as git writes a patch; empty where there are
    none, where the package is in no checkout, and where the patch is too large.

    No other file of the checkout is in it, so no secret that lies beside the code.
    """
    root = next((parent for parent in PACKAGE.parents if (parent / ".git").exists()), None)
    if root is None or not asks_git_safely(root):
        return b""
    command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", *PATCH, "--"]
    try:
        asked = subprocess.run([*command, PACKAGE], cwd=root, capture_output=True, timeout=5)
    except (OSError, subprocess.SubprocessError):
        return b""
    return asked.stdout if len(asked.stdout) <= MAX_PATCH_BYTES else b""
