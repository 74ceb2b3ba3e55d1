"""Write docs/configuration.md from ``configs/``: python docs/make_configuration.py"""

from pathlib import Path

from mnist_trainer.config.shipped import config_dir, group_choices, group_names

PAGE = Path(__file__).with_name("configuration.md")

HEAD = """\
# Configuration reference

Written from the files in [`configs/`](../configs) by `docs/make_configuration.py`. Every setting is
a word of the form `key=value`; a group is chosen by `group=choice`. `mnist-train --cfg job` shows
what a command line comes to.
"""


def page() -> str:
    """The whole reference, as Markdown."""
    parts = [HEAD, section("config.yaml", config_dir() / "config.yaml", "## Top level")]
    for group in group_names():
        parts.append(f"## {group}\n")
        parts += [
            section(choice, config_dir() / group / f"{choice}.yaml", f"### {group}={choice}")
            for choice in group_choices(group)
        ]
    parts.append(section("find_lr.yaml", config_dir() / "find_lr.yaml", "## --find-lr"))
    return "\n".join(parts)


def section(name: str, path: Path, heading: str) -> str:
    """One file: its opening comment as prose, its settings as they stand."""
    lines = path.read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if not line.startswith("# @package")]
    opening = next((k for k, line in enumerate(lines) if not line.startswith("#")), len(lines))
    prose = [line.removeprefix("#").removeprefix(" ") for line in lines[:opening]]
    commands = [line.strip() for line in prose if line.startswith("  mnist-train")]
    text = " ".join(line.strip() for line in prose if not line.startswith("  mnist-train"))
    shown = "\n".join(commands)
    body = "\n".join(lines[opening:]).strip()
    yaml = body or "{}  # " + name
    return f"{heading}\n\n{text}\n\n```console\n{shown}\n```\n\n```yaml\n{yaml}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
