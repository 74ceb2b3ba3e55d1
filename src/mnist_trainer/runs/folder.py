"""Layout of a run folder, and how a new one is created."""

import contextlib
import os
import re
import secrets
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mnist_trainer.errors import ConfigError, MachineError
from mnist_trainer.system.paths import real_path, refuse_undecodable

OUTPUTS = Path("outputs")
LOCK_FILE = ".lock"
"""Names the process that holds a folder."""
NAME_LIMIT = 100
"""Longest name of a folder, in characters; in bytes twice that, as file systems allow 255."""

# Any of these in a folder shows that a run has trained there.
RUN_MARKS = ("config.yaml", "metrics.jsonl", "result.json", "checkpoints")
# Any of these shows that a run or a job was started there: one that failed early has only the last.
START_MARKS = (*RUN_MARKS, ".hydra/overrides.yaml", "job.json")


@dataclass(frozen=True)
class RunFolder:
    """The paths inside one run's folder."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def layers(self) -> Path:
        return self.path / "layers.json"

    @property
    def evaluation(self) -> Path:
        return self.path / "evaluation.json"

    @property
    def card(self) -> Path:
        return self.path / "evaluation-card.json"

    @property
    def calibration(self) -> Path:
        return self.path / "calibration.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def config_files(self) -> Path:
        return self.path / "config_files"

    @property
    def patch(self) -> Path:
        return self.path / "code.patch"

    @property
    def reproduction(self) -> Path:
        return self.path / "reproduction.json"

    @property
    def trail(self) -> Path:
        return self.path / "trail.bin"

    @property
    def film(self) -> Path:
        return self.path / "film.npz"

    @property
    def result(self) -> Path:
        return self.path / "result.json"

    @property
    def checksums(self) -> Path:
        return self.path / "checksums.json"

    @property
    def predictions(self) -> Path:
        return self.path / "predictions.npz"

    @property
    def log(self) -> Path:
        return self.path / "train.log"

    @property
    def profile(self) -> Path:
        return self.path / "profile"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def __str__(self) -> str:
        return display_path(self.path)


def display_path(path: Path) -> str:
    """The path as a user would type it: relative where it lies below the working directory."""
    try:
        return str(real_path(path).relative_to(Path.cwd()))
    except (OSError, ValueError):
        return str(path)


def absolute_folder(path: Path, asked: str | None = None) -> Path:
    """The absolute path of a folder that is going to hold a run.

    Args:
        asked: how the message names it; None: by its path.

    Raises:
        ConfigError: Hydra, or the files of a run, cannot name it.
    """
    found = real_path(path)
    refuse_undecodable(str(found), "the folder" if asked is None else f"{asked}: the folder")
    if "${" in str(found):
        raise ConfigError(
            f"{found if asked is None else asked}: the path holds ${{, which Hydra would replace."
            " Choose a folder of another name, with hydra.run.dir=PATH."
        )
    return found


def claim_run_folder(label: str) -> RunFolder:
    """Create a folder ``outputs/<date>/<time>-<label>-<4 hex>`` that no other run has.

    Raises:
        MachineError: the folder cannot be made.
    """
    now = datetime.now()
    day = OUTPUTS / f"{now:%Y-%m-%d}"
    while True:
        folder = day / f"{now:%H-%M-%S}-{safe_name(label)}-{secrets.token_hex(2)}"
        place = absolute_folder(folder)
        if _make_exclusively(folder):
            return RunFolder(place)


def is_run_folder(path: Path) -> bool:
    """Whether a run has trained in a folder."""
    return any((path / mark).exists() for mark in RUN_MARKS)


def refuse_used_folder(path: Path) -> None:
    """Check that no run has trained in a folder.

    Raises:
        ConfigError: one has.
    """
    if is_run_folder(path):
        raise ConfigError(
            f"hydra.run.dir={path}: this folder already holds a run. Name another, or remove it"
            " first."
        )


def claim_named_folder(path: Path) -> RunFolder:
    """Create the folder that the user named, or use it if it holds no run.

    Raises:
        ConfigError: a run has trained there.
        MachineError: the folder cannot be made, or cannot be written to.
    """
    place = absolute_folder(path, f"hydra.run.dir={path}")
    refuse_used_folder(path)
    if not _make_exclusively(path) and not (path.is_dir() and os.access(path, os.W_OK)):
        raise MachineError(
            f"hydra.run.dir={path}: not a folder that can be written to. Choose another place."
        )
    return RunFolder(place)


def claim_sweep_folder(name: str | None) -> Path:
    """Create the folder of a multirun: the named one, or a new one named by date and time."""
    base = OUTPUTS / "multirun"
    if name is not None:
        return claim_sweep_dir(base / safe_name(name, "sweep"))
    stamp = f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    folder = absolute_folder(base / stamp)
    while not _make_exclusively(folder, "hydra.sweep.dir"):
        folder = folder.with_name(f"{stamp}-{secrets.token_hex(2)}")
    return folder


def claim_sweep_dir(path: Path) -> Path:
    """Create the folder of a multirun, or use it if it is there."""
    place = absolute_folder(path)
    _make_exclusively(place, "hydra.sweep.dir")
    return place


def _make_exclusively(folder: Path, key: str = "hydra.run.dir") -> bool:
    """Create a folder; False where there is one already."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
    except FileExistsError as error:
        if not folder.is_dir():
            raise MachineError(
                f"{folder}: there is a file where a folder is needed. Move it, or set {key}=PATH."
            ) from error
        return False
    except OSError as error:
        raise MachineError(
            f"{folder} cannot be made: {error.strerror or error}. Choose another place with"
            f" {key}=PATH."
        ) from error
    return True


def safe_name(name: str, key: str = "name") -> str:
    """Turn a name into a folder name: separators and other marks become ``_``, the length is cut.

    Args:
        key: the setting that the name was given by.

    Raises:
        ConfigError: the name holds nothing usable, such as ``..`` or NUL.
    """
    if "\0" in name or not name.strip(". ") or name.strip() != name:
        shown = name if name and name.strip() == name and name.isprintable() else repr(name)
        raise ConfigError(
            f"{key}={shown}: not usable as the name of a folder. Use letters, digits, '-', '_' and"
            " '.'."
        )
    cleaned = re.sub(r"[^\w.,=+\-]+", "_", name).lstrip(".")
    # Names that are devices on Windows, whatever their ending.
    if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", cleaned):
        cleaned = f"_{cleaned}"
    kept = cleaned[:NAME_LIMIT].encode()[: 2 * NAME_LIMIT].decode(errors="ignore")
    return kept.rstrip(". ") or "_"


def run_label(number: object, overrides: object) -> str:
    """Folder name of one job of a sweep: its number, then its overrides."""
    return safe_name(f"{number}-{overrides}" if overrides else str(number))


def leading_number(name: str) -> int | None:
    """The number that the folder of a job begins with; None where it begins with none."""
    found = re.match(r"\d+(?=-|$)", name)
    return int(found[0]) if found else None


def numbers_taken(sweep: Path) -> set[int]:
    """The numbers that folders of a sweep begin with.

    A folder that holds only what Hydra makes before a job begins takes none: a kill came in
    between, and the job is to have the folder still.
    """
    return {
        number
        for path in sweep.iterdir()
        if (number := leading_number(path.name)) is not None and not is_left_unused(path)
    }


def is_left_unused(folder: Path) -> bool:
    """Whether a folder holds no more than Hydra's own files and temporary ones."""
    made = {".hydra", RunFolder(folder).log.name}
    return folder.is_dir() and all(
        path.name in made or path.match(".*.tmp") for path in folder.iterdir()
    )


def discard_if_unused(folder: RunFolder) -> None:
    """Remove the files of a run that did not reach its first step; files of others stay."""
    has_metrics = folder.metrics.exists() and folder.metrics.stat().st_size > 0
    if folder.result.exists() or has_metrics or folder.checkpoints.exists():
        return
    for place in (folder.path / ".hydra", folder.config_files):
        shutil.rmtree(place, ignore_errors=True)
    written = (
        *(folder.log, folder.config, folder.environment, folder.layers, folder.metrics),
        *(folder.trail, folder.film, folder.patch),
    )
    for path in (*written, folder.path / LOCK_FILE):
        path.unlink(missing_ok=True)
    for path in folder.path.glob("events.out.tfevents.*"):
        path.unlink()
    with contextlib.suppress(OSError):
        folder.path.rmdir()
        if folder.path.parent.parent == real_path(OUTPUTS):
            folder.path.parent.rmdir()
