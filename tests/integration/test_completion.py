"""Tab completion in the shells that are installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BASH = """
eval "$(mnist-train -sc install=bash)"
COMP_LINE="$1" COMP_POINT=${#1} COMP_WORDS=($1) COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
hydra_bash_completion
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """With the console script first on the path."""
    script = tmp_path / "bin" / "mnist-train"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\nfrom mnist_trainer.cli.train import main\nmain()\n")
    script.chmod(0o755)
    return {**os.environ, "PATH": f"{script.parent}:{os.environ['PATH']}"}


def ask(shell: list[str], environment: dict[str, str], **more: str) -> list[str]:
    ended = subprocess.run(
        shell, env={**environment, **more}, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return ended.stdout.split()


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("mnist-train mod", {"model=", "model."}),
        ("mnist-train model=l", {"model=lenet5", "model=linear"}),
        ("mnist-train trainer.epo", {"trainer.epochs="}),
        ("mnist-train experiment=fast", {"experiment=fast99"}),
    ],
)
def test_bash_completes_groups_choices_and_keys(
    line: str, offered: set[str], environment: dict[str, str]
) -> None:
    assert set(ask(["bash", "-c", BASH, "bash", line], environment)) == offered


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh here")
def test_zsh_takes_the_completion(environment: dict[str, str]) -> None:
    text = "autoload -Uz compinit bashcompinit; compinit -u; bashcompinit; "
    text += 'eval "$(mnist-train -sc install=zsh)"; whence -w hydra_bash_completion'
    assert ask(["zsh", "-f", "-c", text], environment)[-1] == "function"


def test_fish_is_given_a_script(environment: dict[str, str]) -> None:
    assert "hydra_fish_completion" in ask(["mnist-train", "-sc", "install=fish"], environment)


def test_completion_needs_no_torch(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit('torch was imported')")
    path = f"{tmp_path}:{environment.get('PYTHONPATH', '')}"
    asked = {"COMP_LINE": "mnist-train mod", "COMP_POINT": "15", "PYTHONPATH": path}
    assert "model=" in ask(["mnist-train", "-sc", "query=bash"], environment, **asked)


def test_an_unknown_shell_is_refused(environment: dict[str, str]) -> None:
    ended = subprocess.run(
        ["mnist-train", "-sc", "install=nosh"], env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert "bash" in ended.stderr
