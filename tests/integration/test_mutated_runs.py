"""R38: every file of a finished run, mutated at many places, with every command: the answer of the
undamaged run or a message, and no traceback, no exit code 1, no wait without end."""

import json
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.forked_commands import Forks
from tests.mutation import mutate

WORDS = (
    "model=linear",
    "device=cpu",
    "data.train_limit=64",
    "data.validation_limit=50",
    "data.test_limit=50",
    "trainer.epochs=2",
    "tracker=none",
    "optimizer=adam",
    "trainer.film=true",
)
FILES = (
    "checksums.json", "config.yaml", "environment.json", "metrics.jsonl", "predictions.npz",
    "result.json", "train.log", "evaluation.json", "layers.json", ".hydra/config.yaml",
    ".hydra/hydra.yaml", ".hydra/overrides.yaml", "checkpoints/best.pt", "checkpoints/last.pt",
    "checkpoints/previous.pt", "checkpoints/manifest.json", "film.npz",
)  # fmt: skip
PARAMETERS = (*FILES[:-1], pytest.param(FILES[-1], marks=pytest.mark.soak))
COMMANDS = {
    "eval": ("eval", "run", "--no-figures"),
    "predict": ("predict", "run", "one.png"),
    "export": ("export", "run", "--format", "safetensors", "--output", "out.safetensors"),
    "report": ("report", "run"),
    "resume": ("train", "resume=run", "trainer.epochs=3"),
}
SAID = re.compile("cannot be read|not valid|left out|not as the run has left it|not used|damaged")
"""What is said of a file that is not used, or used with a warning."""


@dataclass(frozen=True)
class Place:
    """A working directory with a finished run in ``base``, and a process that runs commands."""

    path: Path
    forks: Forks

    def answer(self, command: str) -> tuple[int, str, object]:
        """Exit code, what was said, and the answer, of a command on the folder ``run``."""
        output = self.path / "out.safetensors"
        output.unlink(missing_ok=True)
        ended = self.forks.run(*COMMANDS[command])
        assert ended.code not in (1, -1), (ended.code, ended.err)
        assert "Traceback" not in ended.err, ended.err
        if ended.code != 0:
            return ended.code, ended.err, None
        answer: object = ended.out
        if command == "export":
            answer = output.read_bytes()
        elif command == "resume":
            result = json.loads((self.path / "run" / "result.json").read_text())
            answer = result["test"], result["weights_sha256"], result["last_weights_sha256"]
        return 0, ended.err + (ended.out if command == "report" else ""), answer


@pytest.fixture(scope="module")
def place(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    path = tmp_path_factory.mktemp("mutated")
    cache = path / "cache"
    cache.mkdir()
    (cache / "mnist-trainer").symlink_to(data_root)
    picture = np.zeros((28, 28), np.uint8)
    picture[4:24, 13:16] = 255
    Image.fromarray(picture).save(path / "one.png")
    with Forks(path, loaded=cache / "mnist-trainer", XDG_CACHE_HOME=str(cache)) as forks:
        assert forks.run("train", *WORDS, "hydra.run.dir=run").code == 0
        assert forks.run("eval", "run", "--no-figures").code == 0
        (path / "run").rename(path / "base")
        yield Place(path, forks)


@pytest.fixture(scope="module")
def answers(place: Place) -> dict[str, object]:
    """What each command answers of the undamaged run."""
    undamaged = {}
    for command in COMMANDS:
        fresh(place)
        code, _, undamaged[command] = place.answer(command)
        assert code == 0
    return undamaged


def fresh(place: Place) -> Path:
    """A new copy of the run in ``run``."""
    run = place.path / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(place.path / "base", run)
    return run


def check(
    place: Place, answers: dict[str, object], name: str, number: int, commands: Sequence[str]
) -> None:
    content = mutate((place.path / "base" / name).read_bytes(), number)
    for command in commands:
        (fresh(place) / name).write_bytes(content)
        code, said, answer = place.answer(command)
        is_told = code != 0 or bool(SAID.search(said))
        assert answer == answers[command] or is_told, (name, number, command, said)


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize(
    "numbers", [range(4), pytest.param(range(4, 8), marks=pytest.mark.soak)], ids=["", "more"]
)
def test_a_mutated_file_gives_a_message_or_the_right_answer(
    name: str, numbers: range, place: Place, answers: dict[str, object]
) -> None:
    commands = list(COMMANDS)
    for number in numbers:
        # Each way of mutation meets each command, in one file or another.
        turn = (number + number // len(commands) + FILES.index(name)) % len(commands)
        check(place, answers, name, number, [commands[turn]])


def changed(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change all checkpoints of a run, without a manifest that would tell."""
    for path in (run / "checkpoints").glob("*.pt"):
        state = torch.load(path, weights_only=True)
        change(state)
        torch.save(state, path)
    (run / "checkpoints" / "manifest.json").unlink()


def put(*path: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change of the value at nested keys; the first tensor where a key is None."""

    def change(state: Any) -> None:
        for key in path[:-1]:
            state = state[key]
        state[next(iter(state)) if path[-1] is None else path[-1]] = value

    return change


def huge(state: dict[str, Any]) -> None:
    for part in ("weights", "model"):
        state[part] = {name: 1e38 * tensor for name, tensor in state[part].items()}


NAN = torch.full((10, 784), torch.nan)
INFINITE = torch.full((10, 784), torch.inf)
FCN = {"_target_": "mnist_trainer.models.FCN", "activation": "relu", "dropout": 0.0}
HOSTILE: dict[str, tuple[str, Callable[[dict[str, Any]], None]]] = {
    "nan": ("weights.layers.1.weight is not finite", put("weights", None, value=NAN)),
    "inf": ("weights.layers.1.weight is not finite", put("weights", None, value=INFINITE)),
    "nan in the optimizer": (
        "optimizer.state.0.exp_avg",
        put("optimizer", "state", 0, "exp_avg", value=NAN),
    ),
    "sparse": (
        "is not a dense tensor",
        put("weights", None, value=torch.zeros(10, 784).to_sparse()),
    ),
    "expanded": (
        "larger than what is stored",
        put("weights", None, value=torch.zeros(1).expand(10, 784)),
    ),
    "format": ("its format is a Tensor", put("format", value=torch.ones(3))),
    "epoch": ("progress", put("progress", "epoch", value=True)),
    "step": ("progress", put("progress", "step", value=10**40)),
    "norms": ("progress", put("progress", "gradient_norms", value=None)),
    "layers": ("more layers", put("config", "model", value={**FCN, "hidden": [1] * 100_000})),
    "deep": ("nested more than", put("random", value=json.loads("[" * 80 + "]" * 80))),
}
ONLY_USED = {
    "gigabytes": (
        "eval",
        "enough for its weights",
        put("config", "model", value={**FCN, "init": "default", "hidden": [100_000, 100_000]}),
    ),
    "overflow": ("eval", "overflow in fp32", huge),
    "betas": ("resume", "betas", put("optimizer", "param_groups", 0, "betas", value=[0.9])),
    "rate": (
        "resume",
        "lr must be a finite number",
        put("optimizer", "param_groups", 0, "lr", value=True),
    ),
    "buffer": (
        "resume",
        "should be 10x784",
        put("optimizer", "state", 0, "exp_avg", value=torch.zeros(3)),
    ),
    "last epoch": ("resume", "last_epoch", put("scheduler", "last_epoch", value="x")),
    "batch": ("resume", "progress.batch", put("progress", "batch", value=2**60)),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("command", ["eval", "predict", "export", "resume"])
def test_values_that_no_run_writes_are_refused(command: str, kind: str, place: Place) -> None:
    said, change = HOSTILE[kind]
    changed(fresh(place), change)
    code, err, _ = place.answer(command)
    assert code == 4, err
    assert said in err


@pytest.mark.parametrize("kind", ONLY_USED)
def test_values_are_refused_where_they_are_used(kind: str, place: Place) -> None:
    command, said, change = ONLY_USED[kind]
    changed(fresh(place), change)
    code, err, _ = place.answer(command)
    assert code == 4, err
    assert said in err


@pytest.mark.parametrize("name", [*PARAMETERS, "job.json"])
@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "socket", "loop"])
def test_what_is_not_a_file_is_not_waited_for(
    kind: str, name: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fresh(place) / name
    path.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        monkeypatch.chdir(path.parent)  # Names of sockets are short.
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path)
    for command in ("eval", "report", "resume"):
        code, err, _ = place.answer(command)
        # mnist-eval writes evaluation.json anew.
        assert code == (4 if command == "resume" and not path.is_file() else code), err


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", FILES)
def test_a_file_mutated_at_200_places(name: str, place: Place, answers: dict[str, object]) -> None:
    for number in range(200):
        check(place, answers, name, number, list(COMMANDS))
