"""Execute a notebook without Jupyter: its cells in order, in one namespace.

    python notebooks/execute.py notebooks/first_hour.ipynb           does it run?
    python notebooks/execute.py notebooks/first_hour.ipynb --write   and keep its outputs

What is written to standard output, the value of the last expression and Matplotlib's figures are
the outputs of a cell. The cells run in a folder of their own, which is gone afterwards.
"""

import argparse
import ast
import base64
import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt


def execute(source: str, namespace: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Execute a cell; return its outputs in the notebook's format.

    Raises:
        Exception: whatever the cell raises.
    """
    tree = ast.parse(source, name)
    last = tree.body[-1] if tree.body else None
    expression = ast.Expression(last.value) if isinstance(last, ast.Expr) else None
    if expression is not None:
        tree.body.pop()
    written, value = io.StringIO(), None
    with contextlib.redirect_stdout(written):
        exec(compile(tree, name, "exec"), namespace)  # noqa: S102
        if expression is not None:
            value = eval(compile(expression, name, "eval"), namespace)  # noqa: S307
    outputs: list[dict[str, Any]] = []
    if text := written.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": lines(text)})
    if value is not None and not source.rstrip().endswith(";"):
        data = {"text/plain": lines(repr(value))}
        outputs.append(
            {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": None}
        )
    for number in plt.get_fignums():
        drawn = io.BytesIO()
        plt.figure(number).savefig(drawn, format="png", dpi=80, bbox_inches="tight")
        image = {"image/png": base64.b64encode(drawn.getvalue()).decode()}
        outputs.append({"output_type": "display_data", "data": image, "metadata": {}})
    plt.close("all")
    return outputs


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Execute a notebook without Jupyter.")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--write", action="store_true", help="keep the outputs in the notebook")
    arguments = parser.parse_args()
    path = arguments.notebook.resolve()
    notebook = json.loads(path.read_text(encoding="utf-8"))
    namespace: dict[str, Any] = {"__name__": "__main__"}
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for number, cell in enumerate(code, start=1):
            cell["outputs"] = execute("".join(cell["source"]), namespace, f"cell {number}")
            cell["execution_count"] = number
            for output in cell["outputs"]:
                if output["output_type"] == "execute_result":
                    output["execution_count"] = number
    if arguments.write:
        text = json.dumps(notebook, indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
