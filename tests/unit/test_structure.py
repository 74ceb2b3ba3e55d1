"""The structure of the source: the order of the rooms, the size of functions, where private names
of other packages may stand. CONTRIBUTING.md explains the rooms."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import mnist_trainer

SOURCE = Path(mnist_trainer.__file__).parent
ROOT = Path(__file__).parents[2]

# A room imports from its own floor and those below it.
FLOORS = (
    ("errors",),
    ("system",),
    ("config", "runs"),
    ("compute", "models"),
    ("data",),
    ("training", "report"),
    ("inference", "launch"),
    ("cli",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
PUBLIC = {"__init__", "__main__", "doctor", "gradient_check"}

# Each of these may name private interfaces of another package; a test of its own imports them.
PRIVATE = re.compile(
    r"hydra\._internal|ConfigLoaderImpl|SourcesRegistry|Singleton\._instances|Plugins\._"
    r"|torch\._(?!C\b)[a-z]\w+|torch\.\w+\._[a-z]\w+|_pytree|_get_node|_actions\b|__wrapped__"
    r"|distributed_c10d"
)
MOST_FILES_WITH_PRIVATE_NAMES = 6

MOST_IMPORTS_BETWEEN_ROOMS = 60

MOST_LINES = 300
MOST_FUNCTION_LINES = 40
MOST_PARAMETERS = 8
MOST_COMPLEXITY = 12
MOST_FIELDS = 12
# These mirror a section of the configuration, field by field.
LARGE_DATACLASSES = {"DataSettings", "TrainerSettings"}
# The options of configs/model/cnn.yaml, and two that are known only when it is built.
MANY_PARAMETERS = {"models.convolutional.__init__"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules() -> Mapping[str, ast.Module]:
    """Dotted name below the package to syntax tree; a package goes by its own name."""
    trees = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
        trees[name] = ast.parse(path.read_text(encoding="utf-8"))
    return trees


def imported(tree: ast.AST, known: Mapping[str, object]) -> Iterator[str]:
    """Modules of this package that a module imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mnist_trainer"):
            base = (node.module or "").removeprefix("mnist_trainer").lstrip(".")
            for alias in node.names:
                full = f"{base}.{alias.name}".lstrip(".")
                yield full if full in known else base or "__init__"


@cache
def imports() -> Mapping[str, frozenset[str]]:
    return {name: frozenset(imported(tree, modules())) - {name} for name, tree in modules().items()}


def room(module: str) -> str:
    return module.partition(".")[0]


def reachable(graph: Mapping[str, frozenset[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(graph.get(start, ()))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph.get(name, ())
    return found


def in_circles(graph: Mapping[str, frozenset[str]]) -> list[str]:
    return sorted(name for name in graph if name in reachable(graph, name))


def upward(graph: Mapping[str, frozenset[str]]) -> list[str]:
    return sorted(
        f"{importer} -> {target}"
        for importer, targets in graph.items()
        for target in targets
        if room(importer) in FLOOR
        and room(target) not in PUBLIC
        and FLOOR.get(room(target), len(FLOORS)) > FLOOR[room(importer)]
    )


def functions() -> Iterator[tuple[str, Function]]:
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, Function):
                yield f"{name}.{node.name}", node


def complexity(function: Function) -> int:
    """Decisions of a function, without those of functions and classes inside it."""
    count, waiting = 1, list[ast.AST](function.body)
    branches = (ast.If, ast.For, ast.While, ast.ExceptHandler, ast.IfExp, ast.comprehension)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function | ast.ClassDef):
            continue
        count += isinstance(node, (*branches, ast.match_case))
        count += len(node.values) - 1 if isinstance(node, ast.BoolOp) else 0
        waiting += ast.iter_child_nodes(node)
    return count


def num_parameters(function: Function) -> int:
    arguments = function.args
    names = [each.arg for each in arguments.posonlyargs + arguments.args]
    return len(names) + len(arguments.kwonlyargs) - (names[:1] in (["self"], ["cls"]))


def test_top_level_holds_rooms_and_public_modules_only() -> None:
    assert {room(name) for name in modules()} == set(FLOOR) | PUBLIC


def test_no_import_runs_up() -> None:
    assert upward(imports()) == []


def test_no_circle_of_files() -> None:
    assert in_circles(imports()) == []


def between_rooms() -> Mapping[str, frozenset[str]]:
    rooms: dict[str, set[str]] = defaultdict(set)
    for importer, targets in imports().items():
        rooms[room(importer)] |= {room(target) for target in targets} - {room(importer)}
    return {name: frozenset(targets) for name, targets in rooms.items()}


def test_no_circle_of_rooms() -> None:
    assert in_circles(between_rooms()) == []


def test_rooms_know_few_others() -> None:
    assert sum(map(len, between_rooms().values())) <= MOST_IMPORTS_BETWEEN_ROOMS


def test_an_import_that_runs_up_is_found() -> None:
    graph = {"system.files": frozenset({"config.reader"}), "cli.train": frozenset({"errors"})}
    assert upward(graph) == ["system.files -> config.reader"]


def test_a_circle_is_found() -> None:
    graph = {name: frozenset({other}) for name, other in ("ab", "bc", "ca", "da")}
    assert in_circles(graph) == ["a", "b", "c"]


def test_package_init_files_are_empty() -> None:
    paths = [path for path in SOURCE.rglob("__init__.py") if path.parent != SOURCE]
    assert [str(path) for path in paths if path.read_text(encoding="utf-8").strip()] == []


def test_few_files_name_private_interfaces() -> None:
    files = [p for p in sorted(SOURCE.rglob("*.py")) if PRIVATE.search(p.read_text("utf-8"))]
    assert len(files) <= MOST_FILES_WITH_PRIVATE_NAMES, files
    hydra = [path for path in files if "hydra._internal" in path.read_text("utf-8")]
    assert {path.parent for path in hydra} <= {SOURCE / "launch" / "hydra"}


def test_files_are_short() -> None:
    lines = {path: path.read_text("utf-8").count("\n") for path in SOURCE.rglob("*.py")}
    assert {str(path): count for path, count in lines.items() if count > MOST_LINES} == {}


def test_functions_are_short() -> None:
    lengths = {name: (f.end_lineno or 0) - f.lineno + 1 for name, f in functions()}
    assert {name: length for name, length in lengths.items() if length > MOST_FUNCTION_LINES} == {}


def test_functions_have_few_parameters() -> None:
    counts = {name: num_parameters(function) for name, function in functions()}
    assert {name for name, count in counts.items() if count > MOST_PARAMETERS} <= MANY_PARAMETERS


def test_functions_are_simple() -> None:
    counts = {name: complexity(function) for name, function in functions()}
    assert {name: count for name, count in counts.items() if count > MOST_COMPLEXITY} == {}


def test_dataclasses_have_few_fields() -> None:
    counts = {
        node.name: sum(isinstance(statement, ast.AnnAssign) for statement in node.body)
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
    }
    assert {name for name, count in counts.items() if count > MOST_FIELDS} <= LARGE_DATACLASSES


@pytest.mark.parametrize(
    ("text", "expected"),
    [("pass", 1), ("if a and b: pass", 3), ("for x in [y for y in z if y]: pass", 3)],
)
def test_complexity_of_known_functions(text: str, expected: int) -> None:
    (function,) = ast.parse(f"def f():\n    {text}").body
    assert isinstance(function, ast.FunctionDef)
    assert complexity(function) == expected


WAY = re.compile(r"^\s*\d*\.?\s*`(src/mnist_trainer/[\w/]+\.py)`: `([\w.]+)`", re.M)


def test_named_functions_of_the_way_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    steps = WAY.findall(text)
    assert len(steps) >= 10
    for path, name in steps:
        tree: ast.AST = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        for part in name.split("."):
            found = [
                node
                for node in ast.iter_child_nodes(tree)
                if isinstance(node, Function | ast.ClassDef) and node.name == part
            ]
            assert found, f"{path}: {name} does not exist"
            tree = found[0]
