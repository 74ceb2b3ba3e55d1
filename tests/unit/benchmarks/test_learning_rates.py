"""The order of the runs of the grid of learning rates, and its table."""

from typing import Any

from benchmarks.learning_rates import RATES, RECIPES, SEEDS, Job, pending, table

RECIPE = RECIPES[0]
FOUND = [{"model": RECIPE.model, "optimizer": RECIPE.optimizer, "recommended": 0.03}]


def run(job: Job) -> dict[str, Any]:
    accuracy = 0.9 + job.rate / 10 + job.seed / 1000 if job.rate < 0.2 else None
    where = {"model": job.recipe.model, "optimizer": job.recipe.optimizer}
    return {**where, "rate": job.rate, "seed": job.seed, "accuracy": accuracy}


def test_every_run_is_made_once() -> None:
    runs: list[dict[str, Any]] = []
    for job in pending([RECIPE], runs, FOUND):
        runs.append(run(job))
    made = [(each["rate"], each["seed"]) for each in runs]
    expected = {(rate, seed) for rate in (*RATES["sgd"], 0.03) for seed in SEEDS}
    assert len(made) == len(set(made))
    assert set(made) == expected
    # The seeds of what was found come before those of the outer rates.
    assert max(made.index((0.03, seed)) for seed in SEEDS) < made.index((0.002, 1))
    assert list(pending([RECIPE], runs, FOUND)) == []


def test_the_table_says_what_is_missing() -> None:
    runs = [run(Job(RECIPE, rate, seed)) for rate in (0.03, 0.05, 0.1) for seed in SEEDS]
    row = table({"runs": runs, "found": FOUND}).splitlines()[2]
    cells = ["cnn sgd", "0.03", "90.40 ± 0.10", "0.1", "91.10 ± 0.10", "0.70", "18"]
    assert row == f"| {' | '.join(cells)} |"
