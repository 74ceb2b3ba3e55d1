"""Whole commands in forks of a process that has imported everything: hundreds of them a minute."""

import contextlib
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.integration.conftest import Ended

ROOT = Path(__file__).parents[1]

MODULES = {
    "train": "mnist_trainer.cli.train",
    "eval": "mnist_trainer.cli.eval",
    "predict": "mnist_trainer.cli.predict",
    "export": "mnist_trainer.cli.export",
    "report": "mnist_trainer.cli.report",
}
NEEDED = (
    "torch.utils.tensorboard",
    "mnist_trainer.launch.single",
    "mnist_trainer.launch.sweep.command",
    "mnist_trainer.inference.scoring.evaluation_result",
    "mnist_trainer.inference.scoring.tables",
    "mnist_trainer.inference.digit_images.classify",
    "mnist_trainer.inference.digit_images.segment",
    "mnist_trainer.inference.export.safetensors_file",
    "mnist_trainer.training.run",
    "mnist_trainer.report.render.outputs",
    "mnist_trainer.report.render.html",
    "jinja2",
)
"""Imported late by the commands, and here before the first fork."""
HUNG = -100
"""Exit status of a command that did not end in time."""


class Forks:
    """A process that runs commands in forks of itself; a context manager."""

    def __init__(self, cwd: Path, loaded: Path | None = None, **environment: str) -> None:
        """Args:
        cwd: the working directory of the commands.
        loaded: the folder of MNIST, as ``data.root``, which is read once, before the first fork;
            None: each command reads its data.
        environment: further variables of the commands.
        """
        self.cwd = cwd
        load = [] if loaded is None else [str(loaded)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked_commands", *load],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "200", "OMP_NUM_THREADS": "1", **environment},
            text=True,
        )

    def run(
        self,
        command: str,
        *words: str,
        cwd: Path | None = None,
        timeout: float = 30.0,
        strace: Sequence[str] = (),
        signals: Sequence[tuple[float, int]] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run a command, one of ``MODULES``, with its words.

        Args:
            strace: options of strace; the command waits until it is attached.
            signals: seconds to wait, and the number of a signal to send then, one after the other.
            environment: variables that the command reads, rather than Python or a library as it is
                imported.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request: dict[str, Any] = {"command": command, "words": words, "timeout": timeout}
        request |= {"cwd": str(cwd or self.cwd), "strace": strace, "signals": signals}
        request["environment"] = dict(environment or {})
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return Ended(**json.loads(self._process.stdout.readline()))

    def __enter__(self) -> "Forks":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def serve() -> None:
    """Answer requests on standard input, a line each."""
    commands = {name: importlib.import_module(module) for name, module in MODULES.items()}
    for module in NEEDED:
        importlib.import_module(module)
    for folder in sys.argv[1:]:
        from mnist_trainer.data.loading import _load

        _load("mnist", Path(folder), True, None)
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(_run(commands[request["command"]], request)), flush=True)


def _run(module: Any, request: Mapping[str, Any]) -> Mapping[str, Any]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        child = _fork()
        if child == 0:
            os.chdir(request["cwd"])
            os.environ.update(request["environment"])
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            while request["strace"] and "TracerPid:\t0" in Path("/proc/self/status").read_text():
                time.sleep(0.002)
            os._exit(_call(module, request["words"]))
        with _traced(child, request["strace"]):
            for seconds, number in request["signals"]:
                time.sleep(seconds)
                # One that has ended is not waited for yet: its number is no other process's.
                os.kill(child, number)
            code = _wait(child, started + request["timeout"])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
        seconds = time.perf_counter() - started
        return {"code": code, "out": texts[0], "err": texts[1], "seconds": seconds}


@contextlib.contextmanager
def _traced(child: int, options: Sequence[str]) -> Iterator[None]:
    """Attach strace, where there are options for it."""
    if not options:
        yield
        return
    with subprocess.Popen(["strace", "-f", "-qq", *options, "-p", str(child)]):
        yield


def _fork() -> int:
    """Fork; where the machine has too many processes at the moment, wait for others to end."""
    for _ in range(100):
        try:
            return os.fork()
        except BlockingIOError:
            time.sleep(0.1)
    return os.fork()


def _call(module: Any, words: Sequence[str]) -> int:
    sys.argv = [module.__name__, *words]
    code = 0
    try:
        module.main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        code = 1
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    return code


def _wait(child: int, deadline: float) -> int:
    while time.perf_counter() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return HUNG


if __name__ == "__main__":
    serve()
