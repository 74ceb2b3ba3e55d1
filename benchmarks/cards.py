"""The table of docs/robustness.md: recipes beside each other, from the cards of their runs.

    python -m benchmarks.cards outputs/multirun/robustness > table.md

Each run needs a card: mnist-eval RUN --card. Nothing is measured here.
"""

import argparse
import sys
from collections.abc import Sequence

from mnist_trainer.report.analysis.groups import group_runs
from mnist_trainer.report.read.discovery import find_runs, merge
from mnist_trainer.report.render.card_comparison import card_blocks
from mnist_trainer.report.render.document import Document, Section
from mnist_trainer.report.render.markdown import markdown


def main(words: Sequence[str] | None = None) -> int:
    """Print the table; 1 where no run has a card."""
    parser = argparse.ArgumentParser("benchmarks.cards", description=__doc__)
    parser.add_argument("folders", nargs="+", metavar="DIR", help="runs, or folders of runs")
    text = table(parser.parse_args(words).folders)
    if text is None:
        print("No run has a card of the weights that it tested: mnist-eval RUN --card",
              file=sys.stderr)  # fmt: skip
        return 1
    print(text, end="")
    return 0


def table(folders: Sequence[str]) -> str | None:
    """The table as Markdown; None where no run has a card.

    Raises:
        ConfigError: a folder holds no run.
    """
    blocks = card_blocks(group_runs(merge([find_runs(folder) for folder in folders])))
    if not blocks:
        return None
    text = markdown(Document("Cards", "", (Section("Evaluation cards", tuple(blocks)),)))
    return text.partition("## Evaluation cards\n\n")[2]


if __name__ == "__main__":
    sys.exit(main())
