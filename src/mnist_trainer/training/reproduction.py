"""What a run that is compared with another needs to be the same before it is trained."""

from collections.abc import Mapping
from pathlib import Path

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.errors import DataError, UnjudgedError
from mnist_trainer.runs.folder import RunFolder, display_path
from mnist_trainer.runs.read import read_json
from mnist_trainer.runs.resume import saved_config


def require_same_data(config: RunConfig, sha256: Mapping[str, str]) -> None:
    """Check that the data are those that the original was trained with, where it says so.

    Args:
        sha256: of the files of the data set, as they were read here.

    Raises:
        UnjudgedError: a file is another one.
    """
    original = RunFolder(Path(config.reproduce or ""))
    saved = saved_config(original)
    data = saved.get("data") if isinstance(saved, dict) else None
    if not isinstance(data, dict) or data.get("name") != config.data.name:
        return  # Another data set was typed: a comparison.
    try:
        recorded = read_json(original.environment)["data_sha256"]
        there = {name: recorded[name] for name in recorded if name in sha256}
    except (DataError, TypeError, KeyError):
        return
    changed = [name for name, digest in there.items() if digest != sha256[name]]
    if changed:
        name = changed[0]
        raise UnjudgedError(
            f"reproduce={display_path(original.path)}: cannot be judged: its data are not here."
            f" {name} has SHA-256 {sha256[name][:16]}..., and had {str(there[name])[:16]}...\n"
            "Bring the file of that time, and name its folder: data.root=PATH"
        )
