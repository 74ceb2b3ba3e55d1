"""What a user may have meant by a word that is no setting.

No torch here: a mistake is answered before it is imported.
"""

import difflib
import re
from collections.abc import Iterable
from functools import cache

from mnist_trainer.config.shipped import config_dir, group_choices, group_names
from mnist_trainer.system.messages import nearest, unknown_key

OTHER_NAMES = {
    "learning_rate": "lr", "bs": "batch_size", "wd": "weight_decay", "ema": "ema_decay",
    "early_stopping": "patience", "cuda": "device", "gpu": "device", "dataset": "data",
}  # fmt: skip
OTHER_CHOICES = {"gpu": "cuda", "mlp": "fcn", "dense": "fcn", "fashion": "fashion_mnist"}
COMMANDS = ("eval", "predict", "report", "export")


@cache
def places() -> dict[str, dict[str, list[str]]]:
    """Where each name is a setting: its dotted keys, each with the choices that have it."""
    found: dict[str, dict[str, list[str]]] = {name: {name: []} for name in group_names()}
    for name in top_keys((config_dir() / "config.yaml").read_text(encoding="utf-8")):
        if name not in ("defaults", "hydra"):
            found[name] = {name: []}
    for group in group_names():
        for choice in group_choices(group):
            text = (config_dir() / group / f"{choice}.yaml").read_text(encoding="utf-8")
            if "@package _global_" in text:
                continue
            for key in top_keys(text):
                found.setdefault(key, {}).setdefault(f"{group}.{key}", []).append(choice)
    return found


def top_keys(text: str) -> list[str]:
    """The keys at the top of one of our own YAML files; to parse all of them takes 50 ms."""
    return re.findall(r"^(\w+):", text, re.MULTILINE)


def meant(key: str, value: str = "", siblings: Iterable[str] = ()) -> str:
    """`` Did you mean trainer.epochs=5?``: the setting of that name elsewhere, else a similar one.

    Args:
        siblings: names that do exist beside it.
    """
    prefix, _, name = key.rpartition(".")
    known = places()
    found = known.get(OTHER_NAMES.get(name, name))
    if found and found.get(key):
        return f" It belongs to {prefix}={' or '.join(found[key])}."
    if found is None:
        if hint := nearest(name, siblings):
            return hint.replace("mean ", f"mean {prefix}.") if prefix else hint
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        found = known[close[0]] if close else {}
    typed = f"={value}" if value else ""
    return f" Did you mean {' or '.join(f'{each}{typed}' for each in found)}?" if found else ""


def unknown_setting(key: str, known: Iterable[str], value: str = "") -> str:
    """The message for an unknown key: what may be meant, and the valid ones beside it."""
    siblings = [name for name in known if name != "_target_"]
    return unknown_key(key, siblings, meant(key, value, siblings))


def meant_choice(name: str, offered: Iterable[str]) -> str:
    """`` Did you mean cuda?``, of the choices of a group."""
    offered = list(offered)
    other = OTHER_CHOICES.get(name.lower())
    return f" Did you mean {other}?" if other in offered else nearest(name.lower(), offered)


def meant_word(word: str) -> str:
    """What to type in place of a word that is no setting, such as ``help`` or ``cnn``."""
    if word == "help":
        return " Help: mnist-train --help"
    if word == "train":
        return " Leave it out: mnist-train trains."
    if word in COMMANDS:
        return f" That is a command of its own: mnist-{word}"
    if word in ("latest", "resume"):
        return " Did you mean resume=latest?"
    groups = [group for group in group_names() if word in group_choices(group)]
    if groups:
        return f" Did you mean {' or '.join(f'{group}={word}' for group in groups)}?"
    return nearest(word, [*group_names(), "seed", "name", "sweep"])
