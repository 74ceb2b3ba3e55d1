"""A report for other programs: CSV with a row per run, and JSON."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mnist_trainer.report.analysis.comparison import Comparison, Side
from mnist_trainer.report.analysis.folds import fold_means, fold_of
from mnist_trainer.report.analysis.groups import (
    Group,
    accuracies,
    apart_from_best,
    count_states,
    differing_settings,
    group_runs,
    main_effects,
    split_to_judge_by,
    value_of,
)
from mnist_trainer.report.analysis.statistics import Spread, spread
from mnist_trainer.report.read.question import read_questions
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.report.render.card_comparison import card_values
from mnist_trainer.report.render.document import clean


def runs_csv(runs: Sequence[RunRecord]) -> str:
    """A row per run: folder, status, settings, scores; accuracies as shares."""
    keys = (
        differing_settings(runs)
        if len(runs) > 1
        else [key for key in runs[0].overrides if key != "seed"]
    )
    if any(fold_of(run) is not None for run in runs):
        keys = [*dict.fromkeys([*keys, "data.fold"])]
    return _table([_row(run, keys) for run in runs])


def comparison_csv(comparison: Comparison) -> str:
    """One row: the two sides, their difference, the verdict."""
    found = comparison_values(comparison)
    row = {
        f"{side}_{key}": found[side][key]
        for side in ("a", "b")
        for key in ("name", "n", "mean", "sd")
    }
    row |= {f"difference_{key}": value for key, value in (found["difference"] or {}).items()}
    row |= {"verdict": found["verdict"], "sentence": found["sentence"]}
    return _table([row])


def runs_json(runs: Sequence[RunRecord]) -> str:
    """Runs, groups, effects of settings and notes on what could not be read."""
    groups, split = group_runs(runs), split_to_judge_by(runs)
    apart = apart_from_best([group for group in groups if group.validation])
    effects = main_effects(groups, split) if len(groups) > 1 else []
    return json_text(
        {
            "questions": read_questions(runs),
            "runs": [run_values(run) for run in runs],
            "groups": [_group_values(group, place, apart) for place, group in enumerate(groups)],
            "effects": [
                {
                    "setting": effect.setting,
                    "value": effect.value,
                    "split": split,
                    **_spread(effect.spread),
                    "accuracies": list(effect.accuracies),
                }
                for effect in effects
            ],
            "cards": card_values(groups),
            "notes": [note for run in runs for note in run.notes],
        }
    )


def comparison_json(comparison: Comparison) -> str:
    return json_text(comparison_values(comparison))


def run_values(run: RunRecord) -> dict[str, Any]:
    """A run without its curves."""
    return {
        "path": run.path,
        "status": run.status,
        "message": run.message,
        "recipe": run.recipe,
        "seed": run.seed,
        "fold": fold_of(run),
        "overrides": dict(run.overrides),
        "validation": run.validation and asdict(run.validation),
        "test": run.test and asdict(run.test),
        "epochs": run.result.get("epochs"),
        "seconds": run.seconds("total"),
        "weights_sha256": run.weights,
    }


def comparison_values(comparison: Comparison) -> dict[str, Any]:
    """All figures of a comparison; differences are B minus A, as shares."""
    found = comparison.difference
    difference = found and {
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "degrees_of_freedom": found.degrees,
        "confidence": 0.95,
    }
    return {
        "verdict": comparison.verdict,
        "sentence": comparison.sentence,
        "split": comparison.split,
        "a": _side(comparison.a, comparison.split),
        "b": _side(comparison.b, comparison.split),
        "difference": difference,
        "mcnemar": [
            {
                "a": pair.a.path,
                "b": pair.b.path,
                "only_a_right": pair.test.only_a,
                "only_b_right": pair.test.only_b,
                "p": pair.test.p,
            }
            for pair in comparison.pairs
        ],
        "notes": list(comparison.notes),
    }


def _side(side: Side, split: str) -> dict[str, Any]:
    return {
        "name": side.name,
        **_spread(spread((accuracies if split == "test" else fold_means)(side.runs, split))),
        "runs": [run_values(run) for run in side.runs],
    }


def _group_values(group: Group, place: int, apart: dict[int, float]) -> dict[str, Any]:
    return {
        "rank": place + 1 if group.validation else None,
        "settings": group.settings,
        "validation": group.validation and _spread(group.validation),
        "test": group.test and _spread(group.test),
        "seconds": group.seconds and group.seconds.mean,
        "n": len(group.completed),
        "folds": group.folds and asdict(group.folds),
        "status": count_states(group.runs),
        "p_against_best": apart.get(place),
        "runs": [run.path for run in group.runs],
    }


def _spread(over: Spread | None) -> dict[str, Any]:
    return asdict(over) if over else {"mean": None, "sd": None, "n": 0}


def _row(run: RunRecord, keys: Sequence[str]) -> dict[str, Any]:
    test, validation = run.test, run.validation
    return {
        "run": run.path,
        "status": run.status,
        **{key: value_of(run, key) for key in keys},
        "seed": run.seed,
        "validation_accuracy": validation and validation.accuracy,
        "validation_loss": validation and validation.loss,
        "test_accuracy": test and test.accuracy,
        "test_loss": test and test.loss,
        "test_right": test and test.correct,
        "test_images": test and test.images,
        "epochs": run.result.get("epochs"),
        "seconds": run.seconds("total"),
        "message": run.message,
    }


def _table(rows: Sequence[dict[str, Any]]) -> str:
    return csv_text(list(rows[0]), [list(row.values()) for row in rows])


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table as CSV, with its head."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([clean(name) for name in columns])
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return written.getvalue()


def _cell(value: Any) -> Any:
    """The value; text that a spreadsheet would run as a formula is quoted."""
    if not isinstance(value, str):
        return value
    text = clean(value)
    return f"'{text}" if text[:1] in ("=", "@") else text


def json_text(values: Mapping[str, Any]) -> str:
    """Values as a JSON document."""
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
