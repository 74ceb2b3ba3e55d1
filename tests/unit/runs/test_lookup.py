"""Find the run and checkpoint that a user names."""

from pathlib import Path

import pytest

from mnist_trainer.errors import CheckpointError, ConfigError
from mnist_trainer.runs.lookup import locate_checkpoint


def make_run(path: Path, *checkpoints: str, tests: str = "best", finished: bool = True) -> Path:
    (path / "checkpoints").mkdir(parents=True)
    (path / "config.yaml").write_text(f"trainer:\n  test_weights: {tests}\n")
    for name in checkpoints:
        (path / "checkpoints" / name).write_bytes(b"weights")
    (path / "result.json").write_text(
        '{"status": "%s"}' % ("completed" if finished else "interrupted")
    )
    return path


@pytest.mark.parametrize(
    ("kept", "tests", "asked", "expected"),
    [
        (("best.pt", "last.pt"), "best", None, "best.pt"),
        (("best.pt", "last.pt"), "last", None, "last.pt"),
        (("best.pt", "last.pt"), "last", "best", "best.pt"),
        (("last.pt",), "best", None, "last.pt"),
        (("last.pt",), "best", "best", "last.pt"),
        (("best.pt", "last.pt", "mine.pt"), "best", "mine.pt", "mine.pt"),
    ],
)
def test_the_tested_checkpoint_unless_another_is_named(
    tmp_path: Path, kept: tuple[str, ...], tests: str, asked: str | None, expected: str
) -> None:
    run = make_run(tmp_path / "run", *kept, tests=tests)
    found = locate_checkpoint(run, asked)
    assert found.checkpoint.name == expected
    # It is said only where something else was asked for.
    assert (found.note is not None) == (asked == "best" and "best.pt" not in kept)


@pytest.mark.parametrize(
    ("tests", "asked", "expected"),
    [
        ("best", None, "has not finished; it has no best checkpoint yet"),
        ("best", "best", "has not finished; it has no best checkpoint yet"),
        ("last", None, "has not finished; its last checkpoint"),
        ("last", "last", None),
    ],
)
def test_an_unfinished_run_gives_a_note(
    tmp_path: Path, tests: str, asked: str | None, expected: str | None
) -> None:
    found = locate_checkpoint(
        make_run(tmp_path / "run", "last.pt", tests=tests, finished=False), asked
    )
    assert found.checkpoint.name == "last.pt"
    assert (expected or "None") in str(found.note)


def test_a_checkpoint_knows_the_run_it_lies_in(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "last.pt")
    inside = locate_checkpoint(run / "checkpoints" / "last.pt")
    assert inside.folder is not None
    assert inside.home == run
    elsewhere = tmp_path / "sent.pt"
    elsewhere.write_bytes(b"weights")
    assert locate_checkpoint(elsewhere).home == tmp_path


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("out/rum", r"Did you mean .*out/run\?"),
        ("nothing-like-it", "Train one first"),
        ("out", r"a folder that holds some.*\n.*out/run"),
        ("empty", "not the folder of a run"),
        ("file.txt/below", "there is no such"),
        ("gone", "leads to"),
        ("loop", "leads back to itself"),
        ("", "empty"),
        ("a\0b", "NUL"),
    ],
)
def test_a_path_without_a_run_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "out" / "run", "last.pt")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("")
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ConfigError, match=f"(?s){expected}"):
        locate_checkpoint(asked)


def test_a_run_without_a_checkpoint_names_resume(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint yet.*\n.*mnist-train resume="):
        locate_checkpoint(make_run(tmp_path / "run"))


def test_a_missing_checkpoint_lists_the_others(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"epoch7.pt.*This run has: last.pt. Type last.$"):
        locate_checkpoint(make_run(tmp_path / "run", "last.pt"), "epoch7.pt")
