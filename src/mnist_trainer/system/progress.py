"""The steps of a long command on the terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def steps_shown() -> Iterator[Callable[[str, int], None]]:
    """Show which of some steps is made, with a bar; nothing where standard error is no terminal.

    Yields:
        What is told each step as it begins: its name, and of how many it is one.
    """
    if not sys.stderr.isatty():
        yield lambda _, __: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(30), TimeElapsedColumn(), TextColumn("{task.description}"))
    # Its thread would compete with what is measured: it is drawn when a step begins, only.
    progress = Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
    with progress:
        task = progress.add_task("", total=None)
        begun = 0

        def begin(name: str, total: int) -> None:
            nonlocal begun
            progress.update(task, description=name, total=total, completed=begun, refresh=True)
            begun += 1

        yield begin
