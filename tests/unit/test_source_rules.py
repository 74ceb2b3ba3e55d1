"""Rules of the source: calls that it never makes, and modules that it never imports early."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mnist_trainer

SOURCE = Path(mnist_trainer.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
# These answer mistakes, so they are there before torch is.
EARLY = (
    "cli.arguments", "cli.eval", "cli.exit", "cli.export", "cli.help", "cli.passport",
    "cli.predict", "cli.train", "compute.distributed", "compute.ranks", "compute.world",
    "config.allow_list", "config.find_lr", "launch.find_lr.request",
    "runs.config_hash", "config.engine_rules", "config.ranges", "config.reader",
    "config.settings", "config.shipped", "errors", "inference.export.formats",
    "launch.command", "launch.options", "launch.hydra.guard", "launch.hydra.launchers",
    "launch.hydra.plugins", "launch.overrides", "launch.seed_options", "launch.single",
    "launch.sweep.command", "launch.sweep.job", "launch.sweep.launch",
    "launch.sweep.progress", "launch.sweep.records",
    "models.formulas.activations", "runs.faults", "runs.folder", "runs.lookup", "runs.result",
    "runs.resume", "system.files", "system.memory", "system.messages", "system.openmp",
    "system.optional_packages", "system.signals", "system.version",
)  # fmt: skip


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def offences(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        line = f"line {getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Assert):
            yield f"{line}: assert"
        for name in imported(node):
            if name.partition(".")[0] in (
                "pickle",
                "dill",
                "cloudpickle",
                "marshal",
                "shelve",
                "joblib",
            ):
                yield f"{line}: import {name}"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if called in ("eval", "exec", "compile", "__import__", "os.system"):
                yield f"{line}: {called}()"
            if called == "torch.load" and options.get("weights_only") != "True":
                yield f"{line}: torch.load without weights_only=True"
            if options.get("shell") == "True" or options.get("weights_only") == "False":
                yield f"{line}: {ast.unparse(node)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_executes_what_is_only_data(path: Path) -> None:
    assert list(offences(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "eval('1')",
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "assert x",
    ],
)
def test_the_rule_sees_an_offence(text: str) -> None:
    assert list(offences(ast.parse(text)))


def broad_handlers(tree: ast.AST) -> list[ast.ExceptHandler]:
    handlers = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
    return [
        h
        for h in handlers
        if h.type is None or any(ast.unparse(n) == "Exception" for n in ast.walk(h.type))
    ]


# Whatever foreign bytes make a reader raise, and whatever the class of a user raises in a job that
# is not to end its sweep, or in a tracker that is not to end its run.
CATCH_EVERYTHING = {
    SOURCE / "runs" / "checkpoint.py",
    SOURCE / "launch" / "sweep" / "job.py",
    SOURCE / "training" / "tracking" / "composite.py",
    SOURCE / "cli" / "exit.py",
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_few_files_catch_every_exception(path: Path) -> None:
    broad = broad_handlers(ast.parse(path.read_text(encoding="utf-8")))
    assert len(broad) <= (1 if path in CATCH_EVERYTHING else 0)


@pytest.mark.parametrize(
    "text", ["except:", "except Exception:", "except (Exception, SystemExit):"]
)
def test_the_rule_sees_a_broad_handler(text: str) -> None:
    assert broad_handlers(ast.parse(f"try: pass\n{text} pass"))


@pytest.mark.parametrize("module", EARLY)
def test_no_torch_at_module_level(module: str) -> None:
    path = SOURCE / module.replace(".", "/")
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(source.read_text(encoding="utf-8"))
    names = {name.partition(".")[0] for node in tree.body for name in imported(node)}
    assert not names & {"torch", "torchvision", "numpy", "tensorboard", "rich"}


def test_nor_by_way_of_another_module() -> None:
    program = (
        f"import sys, importlib\nfor name in {EARLY}: importlib.import_module('mnist_trainer.' +"
        " name)\n"
    )
    program += (
        "sys.exit(' '.join(sorted({'torch', 'torchvision', 'numpy', 'tensorboard', 'rich'} &"
        " sys.modules.keys())) or None)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
