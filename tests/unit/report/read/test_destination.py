"""Where a report may be written, and where not."""

from pathlib import Path

import pytest

from mnist_trainer.errors import ConfigError
from mnist_trainer.report.read.destination import check_destination


@pytest.fixture(autouse=True)
def _a_sweep_of_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s/0/checkpoints").mkdir(parents=True)
    (tmp_path / "s/0/.hydra").mkdir()
    for name in ("s/sweep.json", "s/0/config.yaml", "s/0/checkpoints/best.pt"):
        (tmp_path / name).touch()


@pytest.mark.parametrize(
    "target",
    [
        "s/0/checkpoints/best.pt",
        "s/0/checkpoints/manifest.json",
        "s/0/checkpoints/new.csv",
        "s/0/.hydra/config.yaml",
        "s/0/config.yaml",
        "s/0/environment.json",
        "s/0/metrics.jsonl",
        "s/0/result.json",
        "s/0/RESULT.json",
        "s/0/predictions.npz",
        "s/0/train.log",
        "s/0/events.out.tfevents.1.host.2.0",
        "s/0/job.json",
        "s/0/evaluation.json",
        "s/0/evaluation-qmnist.json",
        "s/0/evaluation/metadata.csv",
        "s/0/figures/x.html",
        "s/0/export/model.html",
        "s/sweep.json",
        "s/multirun.yaml",
        "s/optuna.sqlite",
        "s/optuna.sqlite-journal",
        "s/.lock",
        "s/.submitit/1.txt",
        "s/0/../sweep.json",
        "s/0/table",
    ],
)
def test_a_file_of_a_run_or_a_sweep_is_refused(target: str) -> None:
    with pytest.raises(
        ConfigError, match=r"belongs to the (run|sweep).* Type: --csv s(/0)?/report\.csv"
    ) as refused:
        check_destination("csv", target)
    assert f"--csv {target}" in str(refused.value)


def test_a_link_to_a_file_of_a_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").symlink_to("s/0/checkpoints/best.pt")
    with pytest.raises(ConfigError, match="belongs to the run"):
        check_destination("csv", "mine.csv")


@pytest.mark.parametrize(
    "target",
    [
        "s/report.html",
        "s/0/report.html",
        "s/0/table.csv",
        "s/0/mine.json",
        "s/0/mine/result.json",
        "result.json",
        "x",
    ],
)
def test_any_other_file_may_be_written(target: str, tmp_path: Path) -> None:
    (tmp_path / "s/0/mine").mkdir()
    check_destination("csv", target)


def test_a_folder_is_no_file() -> None:
    with pytest.raises(ConfigError, match=r"a folder.* Type: --markdown=s/report\.md"):
        check_destination("markdown", "s")
