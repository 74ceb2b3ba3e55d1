"""Run ``mnist-train`` many times, each in a fork of one process that has imported everything.

A program of its own: reads a JSON object a line, ``{"argv": [...], "cwd": PATH, ...}``, runs the
command, and answers with its exit code (minus the number of the signal that ended it). With
``strace``, options, the command waits until strace is attached to it; with ``signals``, pairs of
seconds and number, it is sent these.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def serve() -> None:
    """Answer the orders on standard input until it is closed."""

    import mnist_trainer.cli.train
    import mnist_trainer.launch.single
    import mnist_trainer.training.run  # noqa: F401

    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            run_command(order["argv"], order["cwd"], is_traced=bool(order["strace"]))
        tracer = None
        if order["strace"]:
            tracer = subprocess.Popen(["strace", "-f", "-qq", *order["strace"], "-p", str(child)])
        for seconds, number in order["signals"]:
            time.sleep(seconds)
            # A child that has ended is not waited for yet: its number is no other process's.
            os.kill(child, number)
        _, status = os.waitpid(child, 0)
        if tracer is not None:
            tracer.wait(10)
        print(os.waitstatus_to_exitcode(status), flush=True)


def run_command(argv: Sequence[str], cwd: str, *, is_traced: bool) -> None:
    """Run the command in this process, and end it."""
    from mnist_trainer.cli.train import main

    os.chdir(cwd)
    for number, name in ((1, "stdout.txt"), (2, "stderr.txt")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    while is_traced and "TracerPid:\t0" in Path("/proc/self/status").read_text():
        time.sleep(0.002)
    sys.argv = ["mnist-train", *argv]
    code = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    sys.stdout.flush()
    os._exit(code)


class ForkServer:
    """The other end: starts the program, and sends it orders."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def run(
        self,
        argv: Sequence[str],
        cwd: Path,
        strace: Sequence[str] = (),
        signals: Sequence[tuple[float, int]] = (),
    ) -> int:
        """Exit code of the command; what it printed is in stdout.txt and stderr.txt in ``cwd``."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        order = {"argv": argv, "cwd": str(cwd), "strace": strace, "signals": signals}
        print(json.dumps(order), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())


@contextlib.contextmanager
def fork_server() -> Iterator[ForkServer]:
    """Start the program, and end it with the context."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.fork_server"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        yield ForkServer(process)
        assert process.stdin is not None
        process.stdin.close()


if __name__ == "__main__":
    serve()
