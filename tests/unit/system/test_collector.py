import subprocess
import sys

CODE = """
import gc, weakref
from mnist_trainer.system.collector import THRESHOLDS, collect_rarely
collect_rarely()
assert gc.get_threshold() == THRESHOLDS
class Node: pass
node = Node()
node.itself = node
gone = weakref.ref(node)
del node
kept = [[] for _ in range(THRESHOLDS[0] + 1)]
assert gone() is None, "cycles are collected still"
"""


def test_garbage_is_collected_rarely_but_it_is() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True)
