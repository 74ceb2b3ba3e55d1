"""Export formats that are safe to load, each in a module of its own."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ELSEWHERE = "--output PATH"


@dataclass(frozen=True)
class Exported:
    """Files and checks of an export."""

    files: tuple[Path, ...]
    """All that were written, the network first."""
    findings: tuple[tuple[str, str], ...]
    """What was verified: name and value."""


Export = Callable[..., Exported]
"""Of a ``TrainedModel`` and the path to write; a lesson also takes a second ``TrainedModel``."""


@dataclass(frozen=True)
class Format:
    """A format, whose module is imported when it is used."""

    function: str
    """``module:name`` of an ``Export``."""
    suffix: str
    about: str
    modules: tuple[str, ...]
    """Modules of the extra ``onnx`` that it needs."""
    stem: str = "model"
    """Name of the file where none is chosen, without the suffix."""

    def load(self) -> Export:
        """The function that writes the format."""
        module, _, name = self.function.partition(":")
        function: Export = getattr(importlib.import_module(module), name)
        return function


FORMATS = {
    "onnx": Format(
        "mnist_trainer.inference.export.onnx_file:write_onnx",
        ".onnx",
        "runs in ONNX Runtime and others; takes pixels 0..255",
        ("onnx", "onnxruntime", "onnxscript"),
    ),
    "safetensors": Format(
        "mnist_trainer.inference.export.safetensors_file:write_safetensors",
        ".safetensors",
        "the weights and what they are",
        (),
    ),
    "html": Format(
        "mnist_trainer.inference.export.html_page:write_html",
        ".html",
        "a page to draw digits on; the network runs in the browser, offline",
        (),
    ),
    "lesson": Format(
        "mnist_trainer.inference.export.lesson_page:write_lesson",
        ".html",
        "a page for a class: how this network computes, learns and fails; offline",
        (),
        "lesson",
    ),
}
