"""metrics.jsonl: what is written is read; damaged lines are told from a torn last one."""

from pathlib import Path

from mnist_trainer.runs.metric_records import MetricRecord, by_epoch, read_records

RECORDS = [
    MetricRecord("interval", "train", 1, 5, {"loss": 2.0, "accuracy": 0.5, "gradient_norm": None}),
    MetricRecord("epoch", "train", 1, 9, {"loss": 1.5, "accuracy": 0.6, "learning_rate": 0.1}),
    MetricRecord("epoch", "validation", 1, 9, {"loss": 1.25, "accuracy": 0.75}),
]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(f"{record.as_json()}\n" for record in RECORDS))
    assert read_records(path) == (RECORDS, [])
    assert (RECORDS[0].loss, RECORDS[2].accuracy) == (2.0, 0.75)


def test_damaged_lines_are_numbered_and_a_torn_last_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [RECORDS[0].as_json(), "not JSON", "[]", '{"kind": "epoch"}', "", '{"kind": "ep']
    path.write_text("\n".join(lines))
    assert read_records(path) == (RECORDS[:1], [2, 3, 4])


def test_the_values_of_an_epoch_are_a_row() -> None:
    assert by_epoch(RECORDS) == [
        {
            "epoch": 1,
            "step": 9,
            "train_loss": 1.5,
            "train_accuracy": 0.6,
            "learning_rate": 0.1,
            "validation_loss": 1.25,
            "validation_accuracy": 0.75,
        }
    ]
