"""How a command ends, whatever ends it."""

import signal
import subprocess
import sys
import time

LEAVING_SLOWLY = """
import atexit, signal, time
from mnist_trainer.cli.exit import exit_codes
from mnist_trainer.interruption import InterruptedRunError

@atexit.register
def slowly():
    print("leaving", flush=True)
    time.sleep(30)

with exit_codes("mnist-train"):
    raise InterruptedRunError("stopped at step 7", signal.SIGINT)
"""


def test_who_asks_again_while_an_interrupted_run_is_leaving_gets_the_same_exit_code_at_once() -> None:
    command = [sys.executable, "-c", LEAVING_SLOWLY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert run.stdout.readline() == "leaving\n"
        asked = time.monotonic()
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130
        assert time.monotonic() - asked < 1
        assert run.stderr.read() == "mnist-train: stopped at step 7\n"
