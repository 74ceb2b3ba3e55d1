"""The table of a sweep: what is averaged over what, and who comes first."""

import json
import shlex

import pytest

from mnist_trainer.launch.sweep.table import (
    _show_rich,
    captions,
    group_jobs,
    next_steps,
    rows,
    show,
    shown,
)
from tests.unit.launch.sweep.conftest import MakeJob


def test_groups_over_seeds_are_ranked(make_job: MakeJob) -> None:
    jobs = [
        make_job(0, 0.90, lr="0.1", seed="0"),
        make_job(1, 0.92, lr="0.1", seed="1"),
        make_job(2, 0.95, lr="0.2", seed="0"),
        make_job(3, 0.97, lr="0.2", seed="1"),
    ]
    head, first, second = rows(group_jobs(jobs))
    assert head == ["rank", "lr", "n", "validation", "test", "time", "status"]
    # The sample standard deviation of two numbers is their distance over the root of two.
    assert first == ["1", "0.2", "2", "96.00 ± 1.41 %", "50.00 ± 0.00 %", "2.0 s", "done"]
    assert second[:4] == ["2", "0.1", "2", "91.00 ± 1.41 %"]


def test_equal_accuracies_are_ranked_by_loss(make_job: MakeJob) -> None:
    jobs = [make_job(0, 0.9, lr="1"), make_job(1, 0.9, lr="2")]
    better = json.loads(jobs[1].folder.result.read_text())
    better["validation"]["loss"] = 0.01
    jobs[1].folder.result.write_text(json.dumps(better))
    assert [group.settings["lr"] for group in group_jobs(jobs)] == ["2", "1"]


def test_failures_do_not_enter_the_mean(make_job: MakeJob) -> None:
    jobs = [
        make_job(0, status="diverged", lr="9", seed="0"),
        make_job(1, status="failed", lr="9", seed="1"),
        make_job(2, 0.8, lr="0.1", seed="0"),
        make_job(3, status="diverged", lr="0.1", seed="1"),
        make_job(4, lr="0.3", seed="0"),
    ]
    body = rows(group_jobs(jobs))[1:]
    assert [line[:4] + line[-1:] for line in body] == [
        ["1", "0.1", "1", "80.00 %", "1 of 2 diverged"],
        ["-", "9", "0", "-", "1 diverged, 1 failed"],
        ["-", "0.3", "0", "-", "not started"],
    ]


def test_caption_counts_completed_seeds(make_job: MakeJob) -> None:
    half = [make_job(0, 0.9, lr="1", seed="0"), make_job(1, status="failed", lr="1", seed="1")]
    assert "deviation" not in captions(group_jobs(half), 0, "x")[0]
    whole = [
        make_job(2, 0.9, lr="2", seed="0"),
        make_job(3, 0.8, lr="2", seed="1"),
        make_job(4, status="failed", lr="2", seed="2"),
    ]
    assert "mean ± standard deviation over 2 seeds;" in captions(group_jobs(whole), 0, "x")[0]
    assert (
        "mean ± standard deviation over n seeds;" in captions(group_jobs(half + whole), 0, "x")[0]
    )


def test_a_long_value_is_shortened_in_the_middle(make_job: MakeJob) -> None:
    hidden = f"[{','.join(str(10 + k) for k in range(90))}]"
    line = rows(group_jobs([make_job(0, 0.9, hidden=hidden)]))[1]
    assert len(line[1]) == 40
    assert line[1].startswith("[10,11,")
    assert line[1].endswith(",98,99]")
    assert "..." in line[1]
    assert shown("x" * 40) == "x" * 40


def test_without_validation_images_nothing_is_ranked(make_job: MakeJob) -> None:
    jobs = [make_job(number, 0.9, model=model) for number, model in enumerate(("b", "a"))]
    for job, accuracy in zip(jobs, (0.1, 0.9), strict=True):
        result = json.loads(job.folder.result.read_text())
        test = {"accuracy": accuracy, "correct": round(1000 * accuracy), "images": 1000}
        job.folder.result.write_text(json.dumps({**result, "validation": None, "test": test}))
    head, first, second = rows(group_jobs(jobs))
    assert "rank" not in head
    assert (first[0], second[0]) == ("b", "a"), (
        "the order of the sweep, not that of the test accuracy"
    )
    assert "not ranked" in captions(group_jobs(jobs), 0, "x")[0]
    assert len(next_steps(group_jobs(jobs), "x")) == 1


def test_a_plain_table_is_aligned(make_job: MakeJob, capsys: pytest.CaptureFixture[str]) -> None:
    show(
        [make_job(0, 0.9, model="fcn"), make_job(1, 0.8, model="a_long_name")],
        1,
        "outputs/multirun/x",
    )
    lines = capsys.readouterr().out.splitlines()[1:]
    column = lines[0].index("validation")
    assert [line[column:].split()[0] for line in lines[1:3]] == ["90.00", "80.00"]
    assert "1 other job in the folder" in lines[-3]


def test_the_end_of_a_sweep_says_what_to_type_next(make_job: MakeJob) -> None:
    jobs = [make_job(k, score, lr=str(k // 2), seed=str(k)) for k, score in enumerate((0.8, 0.9))]
    report, best = next_steps(group_jobs([*jobs, make_job(2, 0.1, lr="9")]), "outputs/multirun/x y")
    assert report.endswith("mnist-report 'outputs/multirun/x y'")
    assert shlex.split(best)[-2:] == ["mnist-eval", str(jobs[1].folder)]
    failed = group_jobs([make_job(3, status="failed", lr="7")])
    assert len(next_steps(failed, "x")) == 1


def test_brackets_are_not_markup(make_job: MakeJob, capsys: pytest.CaptureFixture[str]) -> None:
    _show_rich(rows(group_jobs([make_job(0, 0.9, act="[relu]"), make_job(1, 0.8, act="[8,16]")])))
    shown = capsys.readouterr().out
    assert "[relu]" in shown
    assert "[8,16]" in shown


def test_a_sweep_over_folds_has_their_interval(make_job: MakeJob) -> None:
    jobs = [
        make_job(k, accuracy, lr="1", **{"data.fold": str(k)})
        for k, accuracy in enumerate((0.90, 0.92, 0.94))
    ]
    for job in jobs:
        fold = job.settings["data.fold"]
        job.folder.config.write_text(f"seed: 0\ndata: {{folds: 3, fold: {fold}}}\n")
    head, line = rows(groups := group_jobs(jobs))
    assert head == ["rank", "lr", "n", "validation", "95 % interval", "test", "time", "status"]
    # 4.3027 * 2 * sqrt(1/3 + 1/2) = 7.86 points.
    assert line[:5] == ["1", "1", "3 folds", "92.00 ± 2.00 %", "84.14 to 99.86 %"]
    said = captions(groups, 0, "x")
    assert "over 3 folds;" in said[0]
    assert "(1/3 + 0.5) s² in place of s²/3" in said[1]
    assert len(next_steps(groups, "x")) == 1, "no fold is the best job"


def test_the_question_stands_above_the_table(
    make_job: MakeJob, capsys: pytest.CaptureFixture[str]
) -> None:
    show([make_job(0, 0.9, model="fcn"), make_job(1, 0.8, lr="1")], 0, "x", "Is it so?")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "Question: Is it so?"
    assert "A dash below a setting: these jobs do not set it." in lines
