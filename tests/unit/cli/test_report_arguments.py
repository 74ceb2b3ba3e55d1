"""The arguments of mnist-report."""

from pathlib import Path

import pytest

from mnist_trainer.cli.report import parse
from mnist_trainer.errors import ConfigError


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "config.yaml").touch()


def test_where_a_format_goes() -> None:
    assert parse(["a"]).targets == {}
    assert parse(["a", "--html"]).targets == {"html": "a/report.html"}
    assert parse(["a", "b", "--html"]).targets == {"html": "report.html"}
    assert parse(["a", "--html", "x.html", "--csv=-", "--json", "j"]).targets == {
        "html": "x.html",
        "csv": "-",
        "json": "j",
    }
    assert parse(["a", "--markdown"]).targets == {"markdown": "-"}


def test_folder_after_a_format_is_reported_on() -> None:
    asked = parse(["--html", "a", "b", "--compare"])
    assert asked.folders == ("a", "b")
    assert asked.targets == {"html": "report.html"}
    assert parse(["--csv", "a"]).folders == ("a",)
    assert parse(["a", "--diff", "--json", "b"]).folders == ("a", "b")


def test_what_is_asked_about_two_runs() -> None:
    assert parse(["a", "b"]).about_two == ""
    assert parse(["a", "b", "--diff"]).about_two == "--diff"
    assert parse(["--compare", "a", "b"]).about_two == "--compare"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no folder"),
        (["a", "--htm"], "--htm"),
        (["a", "--pdf"], "--pdf"),
        (["a", "b", "--diff", "--compare"], "--compare: not allowed with argument --diff"),
        (["a", "--csv", "--json"], "same place"),
        (["a", "--csv", "x", "--json", "x"], "same place"),
        (["a", "--json", "a/result.json"], "belongs to the run"),
        (["a", "--html=b"], "a folder"),
        (
            ["a", "--csv", "b"],
            r"--csv b: a folder.* --csv b/report\.csv\. .* mnist-report a b --csv",
        ),
        (["--csv", "b", "a"], "--csv b: a folder"),
        (["a", "--html", "no/where/x.html"], "--html no/where/x.html: there is no folder no/where"),
        (["a", "--html", "a/config.yaml/x"], "a/config.yaml is a file, not a folder"),
    ],
)
def test_mistakes(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse(words)
