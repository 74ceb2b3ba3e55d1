"""Pages in one file: templates, and JavaScript modules in one script, because a page on a disk
cannot import files beside it.

The modules are written as the language has them (``import {a} from "./b.js"``, ``export``), in
the few forms that ``MODULE_SYNTAX`` lists, so that a browser can also load them unbundled.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

IMPORT = re.compile(r'^import \{([^}]*)\} from "(\./|\.\./)([\w./]+)";\n', re.MULTILINE)
IMPORT_ALL = re.compile(r'^import \* as (\w+) from "(\./|\.\./)([\w./]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)
EXPORT_LIST = re.compile(r"^export \{([^}]*)\};\n", re.MULTILINE)
LEFT_OVER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
MODULE_SYNTAX = (IMPORT, IMPORT_ALL, EXPORT, EXPORT_LIST)


def render(template: Path, **values: Any) -> str:
    """Render a page; text is escaped, and a name that has no value is an error."""
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(template.name).render(**values)


def concatenate(files: Sequence[Path]) -> str:
    """Modules one after the other, in one scope: no two may have a name in common."""
    pieces = []
    for file in files:
        text = file.read_text(encoding="utf-8")
        for syntax in MODULE_SYNTAX:
            text = syntax.sub("", text)
        pieces.append(text)
    return '"use strict";\n' + "\n".join(pieces)


def bundle(entry: Path) -> str:
    """A module and all that it imports, each in a scope of its own, as one classic script.

    Raises:
        ValueError: modules import each other in a circle, or one has another form of import or
            export than those of ``MODULE_SYNTAX``.
    """
    order: list[Path] = []
    _visit(entry.resolve(), order, ())
    wrapped = [_wrap(file, order) for file in order]
    return '"use strict";\nconst modules = [];\n' + "\n".join(wrapped)


def content_hash(text: str) -> str:
    """The source expression of a content security policy that admits this very text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()


def _visit(file: Path, order: list[Path], importers: tuple[Path, ...]) -> None:
    if file in importers:
        raise ValueError(f"{file.name} imports itself: {[each.name for each in importers]}")
    if file in order:
        return
    text = file.read_text(encoding="utf-8")
    for _, up, path in [*IMPORT.findall(text), *IMPORT_ALL.findall(text)]:
        _visit((file.parent / up / path).resolve(), order, (*importers, file))
    order.append(file)


def _wrap(file: Path, order: Sequence[Path]) -> str:
    """A module as a function that is called at once and returns what the module exports."""
    text = file.read_text(encoding="utf-8")

    def index(match: re.Match[str]) -> int:
        return order.index((file.parent / match[2] / match[3]).resolve())

    exported = EXPORT.findall(text)
    for names in EXPORT_LIST.findall(text):
        exported += [name.strip() for name in names.split(",") if name.strip()]
    text = IMPORT.sub(
        lambda match: f"const {{{match[1].replace(' as ', ': ')}}} = modules[{index(match)}];\n",
        text,
    )
    text = IMPORT_ALL.sub(lambda match: f"const {match[1]} = modules[{index(match)}];\n", text)
    text = EXPORT_LIST.sub("", EXPORT.sub("", text))
    if left := LEFT_OVER.search(text):
        raise ValueError(f"{file.name}: {left[0]}: this form is not bundled")
    inside = f"{text}return {{ {', '.join(exported)} }};"
    return f"// {file.name}\nmodules.push((() => {{\n{inside}\n}})());"
