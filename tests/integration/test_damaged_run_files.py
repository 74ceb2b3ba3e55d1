"""R38: damaged or hostile files of a run: a message or a right answer, no traceback, no hang."""

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.forked_commands import Forks

OLD_RUN = Path(__file__).parents[1] / "data" / "version_0_1" / "run"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

Damage = Callable[[Path], None]


def text(content: str) -> Damage:
    def damage(path: Path) -> None:
        path.write_text(content)

    return damage


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def compressed(path: Path) -> None:
    """A checkpoint whose records unpack to more than the file holds."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(100_000_000))
    (path.parent / "manifest.json").unlink(missing_ok=True)


DAMAGES: list[tuple[str, str, Damage]] = [
    ("config.yaml", "bomb", text(BOMB)),
    ("config.yaml", "deep", text("[" * 200_000)),
    ("config.yaml", "fifo", fifo),
    (".hydra/overrides.yaml", "digits", text("- seed=" + "9" * 5_000)),
    (".hydra/overrides.yaml", "number", text(f"- {'9' * 5_000}")),
    ("result.json", "text", text('{"status": "completed", "epochs": "many", "test": null}')),
    ("result.json", "infinite", text('{"status": "completed", "epochs": 1e400}')),
    ("result.json", "deep", text("[" * 200_000)),
    ("result.json", "fifo", fifo),
    ("checkpoints/manifest.json", "list", text("[[[]]]")),
    ("checkpoints/last.pt", "compressed", compressed),
    ("metrics.jsonl", "fifo", fifo),
]
COMMANDS = {
    "resume": ("train", "resume={run}", "trainer.epochs=3", "device=cpu"),
    "eval": ("eval", "{run}", "--no-figures"),
    "report": ("report", "{run}"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("name", "kind", "damage"), DAMAGES, ids=[f"{name}-{kind}" for name, kind, _ in DAMAGES]
)
def test_every_command_answers(
    name: str, kind: str, damage: Damage, command: str, forks: Forks, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(OLD_RUN, run)
    damage(run / name)
    module, *words = (word.replace("{run}", str(run)) for word in COMMANDS[command])
    ended = forks.run(module, *words, cwd=tmp_path, timeout=90)
    assert "Traceback" not in ended.err, (kind, ended.err)
    assert ended.code in (0, 2, 3, 4, 6)
