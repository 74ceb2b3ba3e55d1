"""How many cores there are, and how many threads a process uses."""

import os
import subprocess
import sys

from mnist_trainer.system.cores import usable_cores

PROGRAM = """
import numpy, torch
from threadpoolctl import threadpool_info
from mnist_trainer.system.cores import use_one_thread
use_one_thread()
numpy.ones((200, 200)) @ numpy.ones((200, 200))
print(torch.get_num_threads(), max(pool["num_threads"] for pool in threadpool_info()))
"""


def test_as_many_cores_as_the_scheduler_allows() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_numpy_and_torch_compute_in_one_thread() -> None:
    variables = {
        name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")
    }
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=variables, capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == ["1", "1"]
