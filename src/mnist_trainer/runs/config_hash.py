"""Hash of the settings on which the outcome of a run depends."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# Settings on which the outcome does not depend: names, places, and how the run is watched.
HASH_EXCLUDED_KEYS = (
    "name", "sweep", "sweep_file", "resume", "resume_allow_changes", "reproduce", "reproduce_seeds",
    "data.root", "data.download", "data.mirror", "data.num_workers",
    "tracker", "trainer.log_every", "trainer.checkpoint_every",
    "trainer.film",
)  # fmt: skip

# Settings that came after the first version. Where one is off, a run is what it would be without
# the setting.
LATER_KEYS = ("data.per_class", "data.folds", "data.fold", "trainer.adversary")


def is_off(key: str, value: Any) -> bool:
    """Whether a setting that came later is absent, or changes nothing."""
    if isinstance(value, Mapping):
        value = value.get("epsilon")
    return key in LATER_KEYS and value is None


def is_idle(key: str, flat: Mapping[str, Any]) -> bool:
    """Whether a setting, by its dotted key, belongs to a group that is off in flat settings."""
    group = next((each for each in LATER_KEYS if key.startswith(f"{each}.")), None)
    return group is not None and flat.get(f"{group}.epsilon") is None


def config_hash(plain: Mapping[str, Any]) -> str:
    """SHA-256 of the resolved settings on which the outcome of a run depends, in hexadecimal.

    The same for the same settings whatever their order, and for a number however it was written
    (``1``, ``1.0``, ``1e0``).
    """
    return hashlib.sha256(json.dumps(_canonical(plain, ""), sort_keys=True).encode()).hexdigest()


def is_unhashed(key: str) -> bool:
    """Whether a setting, by its dotted key, is left out of the hash."""
    return any(key == unhashed or key.startswith(f"{unhashed}.") for unhashed in HASH_EXCLUDED_KEYS)


def unhashed_overrides(settings: Mapping[str, str]) -> dict[str, str]:
    """Swept settings that the hash leaves out.

    A sweep over ``tracker=none,tensorboard`` still makes two jobs.
    """
    return {key: value for key, value in settings.items() if is_unhashed(key)}


def _canonical(node: Any, key: str) -> Any:
    if isinstance(node, Mapping):
        children = (
            (f"{key}.{name}" if key else str(name), str(name), value)
            for name, value in node.items()
        )
        return {
            name: _canonical(value, path)
            for path, name, value in children
            if not is_unhashed(path) and not is_off(path, value)
        }
    if isinstance(node, list | tuple):
        return [_canonical(item, key) for item in node]
    if isinstance(node, float) and node.is_integer():
        return int(node)
    return node
