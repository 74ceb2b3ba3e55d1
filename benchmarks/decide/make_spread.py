"""Write the records that `mnist-train -m ... --plan` starts from, of runs that were measured.

python -m benchmarks.decide.pool --prior && python -m benchmarks.decide.make_spread
"""

import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS
from mnist_trainer.config.settings import NUM_TRAINING_IMAGES
from mnist_trainer.report.read import spread

SHIPPED = Path(spread.__file__).with_name("spread.json")
VALIDATION_IMAGES = 5000


def shipped_records(measured: Mapping[str, Any]) -> dict[str, Any]:
    """The content of the shipped file."""
    environment = measured["environment"]
    images = NUM_TRAINING_IMAGES["mnist"] - VALIDATION_IMAGES
    recipes = {}
    for name, pool in sorted(measured["pools"].items()):
        accuracies = [correct / pool["images"] for correct in pool["correct"]]
        recipes[name] = {
            "sd": statistics.stdev(accuracies),
            "seeds": len(accuracies),
            "seconds": pool["cpu_seconds"],
            "work": pool["epochs"] * images,
        }
    machine = environment["cpu"]
    return {
        "provenance": f"Measured {measured['date']} on {machine['name']}"
        f" (torch {environment['packages']['torch']}), on 5,000 validation images; time: CPU"
        " seconds of one run with one thread, other processes at work.",
        "made_by": "python -m benchmarks.decide.make_spread, of benchmarks/results/spread.json",
        "recipes": recipes,
    }


def main(arguments: Sequence[str]) -> None:
    """Write the file, or with ``--check`` fail where it is not what the results say."""
    measured = json.loads((RESULTS / "spread.json").read_text(encoding="utf-8"))
    text = json.dumps(shipped_records(measured), indent=1) + "\n"
    if "--check" in arguments:
        if SHIPPED.read_text(encoding="utf-8") != text:
            sys.exit(f"{SHIPPED.name}: not what benchmarks/results/spread.json says")
        return
    SHIPPED.write_text(text, encoding="utf-8")
    print(f"{SHIPPED}: {len(text)} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
