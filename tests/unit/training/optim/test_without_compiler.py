"""Optimizers that were made lean do what they did, and leave the compiler alone."""

import subprocess
import sys

PROGRAM = """
import sys, torch
from mnist_trainer.training.optim.without_compiler import skip_dynamo_import
lean, *names = sys.argv[1:]
for name in names:
    kind = getattr(torch.optim, name)
    if lean == "lean":
        skip_dynamo_import(kind)
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(3, 4))
    optimizer = kind([weight], lr=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.9**step)
    for _ in range(5):
        optimizer.zero_grad()
        (weight**2).sum().backward()
        optimizer.step()
        schedule.step()
        optimizer.load_state_dict(optimizer.state_dict())
    print(name, weight.tolist())
print("torch._dynamo" in sys.modules)
"""


def steps(*words: str) -> list[str]:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, *words], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def test_optimizers_step_as_ever_without_the_compiler() -> None:
    names = ("SGD", "AdamW", "RMSprop")
    lean, usual = steps("lean", *names), steps("usual", *names)
    assert len(lean) == len(names) + 1
    assert lean[:-1] == usual[:-1]
    assert lean[-1] == "False"
    assert usual[-1] == "True", "PyTorch no longer needs this: without_compiler.py can go"


def test_compiling_still_works_after_that() -> None:
    program = (
        "import torch\n"
        "from mnist_trainer.training.optim.without_compiler import skip_dynamo_import\n"
        "skip_dynamo_import(torch.optim.SGD)\n"
        "optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(3))], lr=0.5)\n"
        "print(torch.compile(lambda x: x + 1, backend='eager')(torch.ones(1)).item())\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.stdout == "2.0\n", ended.stderr
