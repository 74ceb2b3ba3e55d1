"""The arguments of mnist-passport."""

from pathlib import Path

import pytest

from mnist_trainer.cli.passport import parse
from mnist_trainer.errors import ConfigError


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.json", "b.json"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()


def test_where_a_format_goes() -> None:
    assert parse([]).targets == {"json": "passport.json", "html": "passport.html"}
    assert parse(["--quick", "--json"]).targets == {"json": "-"}
    assert parse(["--html"]).targets == {"html": "passport.html"}
    assert parse(["a.json"]).targets == {}
    asked = parse(["a.json", "b.json", "--html", "x.html"])
    assert (asked.files, asked.targets) == (("a.json", "b.json"), {"html": "x.html"})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--quik"], "Did you mean --quick"),
        (["--threads", "0"], "no number of threads"),
        (["--threads", "many"], "no number of threads"),
        (["a.json", "b.json", "a.json"], "at most two"),
        (["a.json", "--quick"], "--quick measures this machine"),
        (["a.json", "--threads", "2"], "--threads measures"),
        (["--html", "a.json"], "not overwritten"),
        (["a.json", "--json", "a.json"], "not overwritten"),
        (["--html", "folder"], "a folder"),
        (["--json", "no/where.json"], "no folder"),
        (["--json", "x", "--html", "x"], "same place"),
    ],
)
def test_mistakes(words: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse(words)
