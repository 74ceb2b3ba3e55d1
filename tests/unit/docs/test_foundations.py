"""The chapters of docs/foundations: code, figures, commands and links."""

import importlib.util
import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

FOUNDATIONS = Path(__file__).parents[3] / "docs" / "foundations"


def load_runner() -> ModuleType:
    """Load make_figures.py, a script outside of any package."""
    spec = importlib.util.spec_from_file_location("make_figures", FOUNDATIONS / "make_figures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their own module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


runner = load_runner()
PAGES = [FOUNDATIONS / "README.md", *runner.CHAPTERS]
FIGURE_LINK = re.compile(r"^!\[([^\]]+)\]\(figures/([\w-]+\.png)\)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#]+)\)")
SOURCE_LINK = re.compile(r"\[`([^`]+)`\]\(([^)#]+\.py)\)")
IN_THIS_PACKAGE = re.compile(r"^\*\*In this package:\*\*.*?(?=\n\n)", re.MULTILINE | re.DOTALL)


def stem(path: Path) -> str:
    return path.stem


def figures_of(chapter: Path) -> list[str]:
    """The figures that a chapter shows, in order."""
    return [link[2] for link in FIGURE_LINK.finditer(chapter.read_text(encoding="utf-8"))]


def commands_of(page: Path) -> Iterator[list[str]]:
    """Arguments of ``mnist-train`` in the console blocks of a page; one list per job of a sweep."""
    for block in runner.blocks(page):
        typed = (
            re.findall(r"^\$ mnist-train (.+)$", block.source, re.MULTILINE)
            if block.language == "console"
            else []
        )
        for words in map(shlex.split, typed):
            if "-m" not in words:
                yield words
                continue
            words.remove("-m")
            keys, values = zip(*(word.split("=", 1) for word in words), strict=True)
            for job in itertools.product(*(value.split(",") for value in values)):
                yield [f"{key}={value}" for key, value in zip(keys, job, strict=True)]


COMMANDS = sorted({shlex.join(words) for page in PAGES for words in commands_of(page)})


@pytest.mark.parametrize("chapter", runner.CHAPTERS, ids=stem)
def test_chapter_runs_and_shows_the_figures_it_draws(chapter: Path, tmp_path: Path) -> None:
    shown = figures_of(chapter)
    can_draw = importlib.util.find_spec("matplotlib") is not None

    runner.run_chapter(chapter, tmp_path, draw=can_draw)

    if shown and not can_draw:
        pytest.skip("The text holds; its figures need matplotlib.")
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == sorted(shown)
    for name in shown:
        drawn, kept = pixels(tmp_path / "figures" / name), pixels(FOUNDATIONS / "figures" / name)
        assert len(np.unique(drawn)) > 16, f"{name} is almost empty"
        assert drawn.shape == kept.shape, (
            f"{name} is out of date: run docs/foundations/make_figures.py"
        )
        # Another version of matplotlib may set a letter a pixel further; a curve elsewhere changes
        # far more.
        assert np.abs(drawn - kept).mean() < 1.0, (
            f"{name} is out of date: run docs/foundations/make_figures.py"
        )


def pixels(path: Path) -> np.ndarray:
    """Read an image file in grey, 0 to 255."""
    return np.asarray(Image.open(path).convert("L"), dtype=np.float64)


def test_every_figure_is_shown() -> None:
    shown = {name for chapter in runner.CHAPTERS for name in figures_of(chapter)}

    assert {path.name for path in (FOUNDATIONS / "figures").iterdir()} == shown


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shown_is_valid(command: str, tmp_path: Path) -> None:
    shown = [sys.executable, "-m", "mnist_trainer", *shlex.split(command)]
    asks = any(word.startswith(("--cfg", "--explain")) for word in shown)
    asked = shown if asks else [*shown, "--cfg", "job"]

    finished = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("page", PAGES, ids=stem)
def test_every_link_has_a_target(page: Path) -> None:
    targets = [
        target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target
    ]

    assert targets
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("chapter", runner.CHAPTERS, ids=stem)
def test_names_linked_to_a_source_file_are_in_it(chapter: Path) -> None:
    text = chapter.read_text(encoding="utf-8")

    for shown, target in SOURCE_LINK.findall(text):
        file = chapter.parent / target
        if shown.endswith(".py"):
            assert file.as_posix().endswith("/" + shown)
        else:
            assert occurs(shown, file.read_text(encoding="utf-8")), f"{shown} is not in {target}"
    # A sentence may also name what the chapter itself has shown: a name in neither is in a file
    # that is not linked.
    python = "\n".join(
        block.source for block in runner.blocks(chapter) if block.language == "python"
    )
    for paragraph in IN_THIS_PACKAGE.findall(text):
        sources = [
            (chapter.parent / target).read_text(encoding="utf-8")
            for _, target in SOURCE_LINK.findall(paragraph)
        ]
        names = re.findall(r"`([A-Za-z_]\w*)`", paragraph)
        assert [
            name for name in names if not any(occurs(name, source) for source in (*sources, python))
        ] == []


def occurs(name: str, source: str) -> bool:
    """Whether a name is a word of a source."""
    return re.search(rf"\b{re.escape(name)}\b", source) is not None


def test_the_contents_list_every_chapter_in_order() -> None:
    listed = re.findall(
        r"^\d+\. \[(.+)\]\((.+)\)$",
        (FOUNDATIONS / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )

    assert [name for _, name in listed] == [chapter.name for chapter in runner.CHAPTERS]
    for number, (title, name) in enumerate(listed, start=1):
        heading = (FOUNDATIONS / name).read_text(encoding="utf-8").splitlines()[0]
        assert heading == f"# {number}. {title}"


def test_failing_block_names_its_line(tmp_path: Path) -> None:
    chapter = tmp_path / "01-wrong.md"
    chapter.write_text(
        "# 1. Wrong\n\n```python\nx = 1\n```\n\ntext\n\n```python\n\nassert x == 2\n```\n"
    )

    with pytest.raises(AssertionError) as caught:
        runner.run_chapter(chapter, tmp_path, draw=False)

    assert (caught.traceback[-1].path, caught.traceback[-1].lineno + 1) == (chapter, 11)


def test_chapter_restores_random_state_and_folder(tmp_path: Path) -> None:
    import torch

    chapter = tmp_path / "01-noisy.md"
    chapter.write_text(
        "```python\nimport torch\ntorch.manual_seed(1)\nopen('here', 'w').close()\n```\n"
    )
    state, threads, folder = torch.get_rng_state(), torch.get_num_threads(), Path.cwd()

    runner.run_chapter(chapter, tmp_path, draw=False)

    assert (tmp_path / "here").exists()
    assert torch.equal(torch.get_rng_state(), state)
    assert (torch.get_num_threads(), Path.cwd()) == (threads, folder)
