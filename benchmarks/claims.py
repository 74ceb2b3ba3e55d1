"""``python -m benchmarks.claims``: test claims of the literature with runs of our own, keep the
records as JSON, and write the table of docs/claims.md from them."""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.literature.causes import CAUSES
from benchmarks.literature.claim import judged_record, unmeasured_record
from benchmarks.literature.measurements import MEASUREMENTS
from benchmarks.literature.page import PAGE, fill, render
from benchmarks.literature.registered import CLAIMS
from benchmarks.literature.runs import Runs
from benchmarks.machine import describe_machine
from benchmarks.results import RESULTS, UnavailableError
from mnist_trainer.system.files import atomic_write

FILE = "claims.json"
RUNS = Path(__file__).parents[1] / "outputs" / "claims"
EXAMPLES = """\
  python -m benchmarks.claims                                  all; runs that are there are used
  python -m benchmarks.claims --only few_images variance       some of the measurements
  python -m benchmarks.claims --only adversarial --adversarial outputs/robust-run
  python -m benchmarks.claims --only poly --not-run "takes an hour here"
  python -m benchmarks.claims --quick                          tiny sizes; keeps nothing
  python -m benchmarks.claims --only --page                    the page alone, from records
"""

Records = dict[str, dict[str, Any]]


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Sort the command line; ends the program where it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.claims",
        description="Test claims of the literature with runs of our own.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    only = f"of: {', '.join(MEASUREMENTS)}"
    add("--only", nargs="*", choices=MEASUREMENTS, default=list(MEASUREMENTS), help=only)
    add("--quick", action="store_true", help="tiny sizes, to try it out: the numbers mean nothing")
    add("--adversarial", nargs=1, default=[], metavar="RUN", help="a run of experiment=adversarial")
    add("--most-seeds", type=int, metavar="N", help="at most so many, where time is short")
    add("--not-run", metavar="REASON", help="record these claims as not run, and why")
    add("--runs", type=Path, default=RUNS, help="folder of the runs (default: outputs/claims)")
    add("--output", type=Path, help=f"folder of {FILE} (default: benchmarks/results)")
    add("--page", action="store_true", help="write the table into docs/claims.md")
    arguments = parser.parse_args(words)
    if arguments.most_seeds is not None and arguments.most_seeds < 2:
        parser.error(f"--most-seeds {arguments.most_seeds}: an interval takes at least 2")
    if arguments.quick and arguments.page:
        parser.error("--quick --page: numbers of a quick trial do not go into the documentation")
    return arguments


def read_records(folder: Path) -> Records:
    """The records that were kept, by the name of the claim."""
    path = folder / FILE
    if not path.exists():
        return {}
    content: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return {record["name"]: record for record in content}


def ordered(records: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """A record of each claim, in the order of the claims; of those that have none, that it was not
    run."""
    return [
        records.get(claim.name) or unmeasured_record(claim, "not measured yet") for claim in CLAIMS
    ]


def write_records(folder: Path, records: Mapping[str, dict[str, Any]]) -> None:
    """Keep all records, after each measurement: the next may take long."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(ordered(records), indent=1, ensure_ascii=False) + "\n"
    with atomic_write(folder / FILE) as file:
        file.write(text.encode("utf-8"))


def measure(group: str, runs: Runs, not_run: str | None) -> Records:
    """The records of all claims of a measurement."""
    claims = [claim for claim in CLAIMS if claim.group == group]
    try:
        if not_run:
            raise UnavailableError(not_run)
        estimates = MEASUREMENTS[group](runs)
    except UnavailableError as reason:
        return {claim.name: unmeasured_record(claim, str(reason)) for claim in claims}
    where = provenance(runs)
    return {claim.name: judged_record(claim, estimates[claim.name], where) for claim in claims}


def provenance(runs: Runs) -> dict[str, Any]:
    """When and on what it was measured."""
    machine = describe_machine("cpu")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "quick": runs.quick,
        "machine": machine["device"]["name"],
        "torch": machine["packages"]["torch"],
        "revision": machine["git_revision"],
    }


def run_all(arguments: argparse.Namespace, place: Path) -> None:
    """Make the measurements that are asked for, one after the other."""
    folder = arguments.output or (None if arguments.quick else RESULTS)
    given = {"adversarial": arguments.adversarial}
    runs = Runs(place, arguments.quick, arguments.most_seeds, given)
    records = read_records(folder) if folder else {}
    for group in arguments.only:
        print(f"{group} ...", file=sys.stderr, flush=True)
        found = measure(group, runs, arguments.not_run)
        records |= found
        if folder:
            write_records(folder, records)
        print(render(list(found.values())), flush=True)
    if arguments.page:
        text = fill(PAGE.read_text(encoding="utf-8"), ordered(records), CAUSES)
        PAGE.write_text(text, encoding="utf-8")


def main(words: Sequence[str]) -> None:
    """Test the claims; quick trials train into a folder that goes away."""
    arguments = parse(words)
    if not arguments.quick:
        run_all(arguments, arguments.runs)
        return
    with tempfile.TemporaryDirectory() as place:
        run_all(arguments, Path(place))


if __name__ == "__main__":
    main(sys.argv[1:])
