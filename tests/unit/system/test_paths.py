"""What a user types as a path is expanded, or refused where it can be none."""

import pwd
from pathlib import Path

import pytest

from mnist_trainer.errors import ConfigError
from mnist_trainer.system import files
from mnist_trainer.system.paths import real_path, refuse_undecodable, user_path


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without HOME and without an entry in the password file, as in a container."""

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/runs") == tmp_path / "runs"


def test_the_home_of_nobody_is_refused() -> None:
    with pytest.raises(ConfigError, match="--output ~nosuchuser/x: there is no home folder"):
        user_path("~nosuchuser/x", "--output ~nosuchuser/x")


@pytest.mark.usefixtures("no_home")
def test_without_a_home_a_tilde_is_refused() -> None:
    with pytest.raises(ConfigError, match="no home folder ~ here"):
        user_path("~/x")


@pytest.mark.usefixtures("no_home")
def test_without_a_home_data_are_kept_elsewhere() -> None:
    assert files.data_cache_folder().is_absolute()


@pytest.mark.parametrize("inside", ["", "/x"])
def test_a_loop_of_links_is_refused(inside: str, tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    with pytest.raises(ConfigError, match="leads back to itself"):
        user_path(f"{loop}{inside}")
    assert real_path(Path(f"{loop}{inside}")).is_absolute()


@pytest.mark.parametrize(
    "text",
    ["a" * 256, "\u00e4" * 128, "missing/" + "\u6570" * 86, "x/" * 2500, "", "a\0b"],
    ids=["name", "bytes", "below", "path", "empty", "NUL"],
)
def test_what_no_file_can_be_called_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        user_path(text)
    assert len(str(refused.value)) < 400


def test_the_longest_names_are_taken(tmp_path: Path) -> None:
    for name in ("a" * 255, "\u00e4" * 127, "\u6570" * 85):
        path = user_path(str(tmp_path / name))
        path.mkdir()
        assert user_path(str(path)).is_dir()


def test_bytes_that_are_no_text_are_refused() -> None:
    refuse_undecodable("\u00e4\u6570\U0001f600", "the word")
    with pytest.raises(ConfigError, match=r"the word a\\udcff: holds bytes that are no UTF-8"):
        refuse_undecodable("a\udcff", "the word")
