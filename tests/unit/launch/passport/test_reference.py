"""What is compared of two runs, and what is not."""

import hashlib
from pathlib import Path

from mnist_trainer.launch.passport.reference import (
    MODELS,
    RECIPE,
    Runs,
    digests,
    entries_to_record,
    losses_digest,
    reference_words,
)

LINE = (
    '{"kind": "interval", "split": "train", "epoch": 1, "step": 1, "loss": %s,'
    ' "images_per_second": %s}\n'
)


def test_every_bit_of_a_loss_counts_and_no_time_does(tmp_path: Path) -> None:
    def digest(loss: float, speed: float) -> str:
        path = tmp_path / "metrics.jsonl"
        path.write_text(LINE % (loss, speed))
        return losses_digest(path)

    assert digest(0.1, 5.0) == digest(0.1, 7.0)
    assert digest(0.1, 5.0) != digest(0.1 + 2e-17, 5.0)
    record = "('interval', 'train', 1, '0x1.999999999999ap-4')"
    assert digest(0.1, 5.0) == hashlib.sha256(record.encode()).hexdigest()


def test_a_run_is_repeated_with_the_same_digests(tmp_path: Path, data_root: Path) -> None:
    runs = Runs(tmp_path, data_root)
    words = [*reference_words("fcn", "cpu", "fp32", 1), "data.train_limit=128"]
    first, again = (runs.make(*words) for _ in range(2))
    other = runs.make(*words, "seed=1")
    assert digests(first) == digests(again)
    assert digests(first)["weights"] != digests(other)["weights"]
    assert digests(first)["losses"] != digests(other)["losses"]
    assert first["steps"] == 2


def test_entries_hold_all_models_of_a_kind() -> None:
    rows = [
        {"model": model, "threads": threads, "kind": {"n": threads}, "weights": "w", "losses": "l"}
        for threads in (1, 2)
        for model in MODELS
    ]
    entries = entries_to_record(rows)
    assert [entry["kind"] for entry in entries] == [{"n": 1}, {"n": 2}]
    assert all(set(entry["digests"]) == set(MODELS) for entry in entries)
    assert all(entry["recipe"] == list(RECIPE) for entry in entries)
