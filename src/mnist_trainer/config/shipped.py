"""The folder of the shipped configurations, its groups and their choices."""

from pathlib import Path


def config_dir() -> Path:
    """Folder of the configurations: in an installed package, or beside ``src`` in a checkout."""
    installed = Path(__file__).parents[1] / "configs"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "configs"


def group_choices(group: str) -> list[str]:
    """The names that a shipped group offers."""
    return sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))


def group_names() -> list[str]:
    """The shipped groups, Hydra's own left out."""
    return sorted(
        path.name for path in config_dir().iterdir() if path.is_dir() and path.name != "hydra"
    )
