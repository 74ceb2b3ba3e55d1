"""``mnist-report``: what a run, a sweep or two recipes came to."""

import sys

from mnist_trainer.cli.exit import exit_codes
from mnist_trainer.errors import MachineError
from mnist_trainer.report.read.request import Request, parse


def main() -> None:
    """Entry point of the console script."""
    with exit_codes("mnist-report"):
        try:
            report(parse(sys.argv[1:]))
        except BrokenPipeError:
            raise
        except OSError as error:
            # What has no name is standard output: files that are read or written are named.
            raise MachineError(
                f"{error.filename or 'standard output'}: {error.strerror or error}."
            ) from error


def report(request: Request) -> None:
    """Find the runs, put what was asked to them, show what they came to."""
    from mnist_trainer.report.analysis.comparison import compare_named
    from mnist_trainer.report.read.discovery import find_runs, merge
    from mnist_trainer.report.render.outputs import show_comparison, show_runs

    parts = [find_runs(folder) for folder in request.folders]
    if request.compare:
        show_comparison(compare_named(request.folders, parts), request)
    else:
        show_runs(merge(parts), request)


if __name__ == "__main__":
    main()
