"""Run the chapters from their own text, and keep the figures that they draw.

    python docs/foundations/make_figures.py [WORD_IN_A_FILE_NAME...]

The blocks of a chapter share one namespace and run in a folder of their own, so that nothing but
the figures is left.
"""

import argparse
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, chdir
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CHAPTERS = sorted(HERE.glob("[0-9][0-9]-*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a chapter."""

    language: str
    source: str
    line: int
    """Line of the chapter that the source begins on, counted from 1."""

    @property
    def draws(self) -> bool:
        return "savefig(" in self.source


def blocks(chapter: Path) -> Iterator[Block]:
    """The fenced blocks of a chapter, in order."""
    text = chapter.read_text(encoding="utf-8")
    for fence in FENCE.finditer(text):
        yield Block(fence[1], fence[2], text.count("\n", 0, fence.start(2)) + 1)


def run_chapter(chapter: Path, folder: Path, *, draw: bool) -> None:
    """Execute the Python blocks of a chapter in a folder; figures come to lie in its ``figures``.

    Args:
        draw: run the blocks that draw too, for which matplotlib is needed.

    Raises:
        Exception: whatever a block raises, with the line of the chapter in the traceback.
    """
    import torch

    (folder / "figures").mkdir(exist_ok=True)
    namespace: dict[str, object] = {"__name__": chapter.stem}
    with ExitStack() as stack:
        stack.enter_context(chdir(folder))
        # The chapters seed PyTorch's global stream, as a learner would.
        stack.enter_context(torch.random.fork_rng(devices=[]))
        # Sums this small gain nothing from a second thread, and lose a lot to it where the
        # processor has other work.
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(1)
        if draw:
            import matplotlib as mpl

            stack.enter_context(mpl.rc_context({"backend": "Agg"}, fname=HERE / "figures.mplstyle"))
            import matplotlib.pyplot as plt

            stack.callback(plt.close, "all")
        for block in blocks(chapter):
            if block.language == "python" and (draw or not block.draws):
                # The empty lines make a traceback show the line of the chapter.
                code = compile("\n" * (block.line - 1) + block.source, str(chapter), "exec")
                exec(code, namespace)  # noqa: S102


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Run the chapters and keep the figures that they draw."
    )
    parser.add_argument("words", nargs="*", help="only chapters whose file name holds one of these")
    words = parser.parse_args().words
    for chapter in CHAPTERS:
        if words and not any(word in chapter.name for word in words):
            continue
        with tempfile.TemporaryDirectory() as folder:
            run_chapter(chapter, Path(folder), draw=True)
            drawn = sorted((Path(folder) / "figures").iterdir())
            for figure in drawn:
                shutil.copy(figure, HERE / "figures" / figure.name)
        print(chapter.name, *(figure.name for figure in drawn))


if __name__ == "__main__":
    main()
