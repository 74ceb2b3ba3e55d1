"""The code in a run folder is read by name, and no link or pipe leads out of the folder."""

import os
from pathlib import Path

import pytest

from mnist_trainer.report.read.code import MAX_FILES, read_code, split_patch
from mnist_trainer.runs.folder import RunFolder

PATCH = """diff --git a/src/one.py b/src/one.py
--- a/src/one.py
+++ b/src/one.py
@@ -1 +1 @@
-x = 1
+x = 2
diff --git a/src/two.py b/src/two.py
deleted file mode 100644
"""


def test_a_patch_is_divided_by_file_and_loses_no_line() -> None:
    parts = split_patch(PATCH)
    assert list(parts) == ["src/one.py", "src/two.py"]
    assert "\n".join(parts.values()) + "\n" == PATCH
    assert split_patch("no patch of git") == {"code.patch": "no patch of git"}
    assert split_patch("") == {}


def test_copies_of_configuration_files_have_their_names(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    (folder.config_files / "experiment").mkdir(parents=True)
    (folder.config_files / "experiment" / "mine.yaml").write_text("seed: 1\n")
    (folder.config_files / "config.yaml").write_text("seed: 2\n")
    folder.patch.write_text(PATCH)
    code = read_code(folder)
    assert code.config_files == {"config.yaml": "seed: 2\n", "experiment/mine.yaml": "seed: 1\n"}
    assert list(code.patch) == ["src/one.py", "src/two.py"]
    assert code.notes == ()


def test_a_folder_of_an_older_version_has_none_and_that_is_no_mistake(tmp_path: Path) -> None:
    code = read_code(RunFolder(tmp_path))
    assert (code.patch, code.config_files, code.notes) == ({}, {}, ())


@pytest.mark.parametrize("is_folder", [True, False])
def test_links_are_not_followed(tmp_path: Path, is_folder: bool) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key.yaml").write_text("secret")
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    if is_folder:
        folder.config_files.symlink_to(secret)
    else:
        folder.config_files.mkdir()
        (folder.config_files / "key.yaml").symlink_to(secret / "key.yaml")
        (folder.config_files / "more").symlink_to(secret)
    folder.patch.symlink_to(secret / "key.yaml")
    code = read_code(folder)
    assert "secret" not in str((code.patch, code.config_files))
    assert any("code.patch: cannot be read: a link" in note for note in code.notes)


def test_a_pipe_is_not_waited_for_and_files_are_bounded(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    os.mkfifo(folder.patch)
    folder.config_files.mkdir()
    for number in range(MAX_FILES + 5):
        (folder.config_files / f"{number}.yaml").write_text("x: 1\n")
    code = read_code(folder)
    assert len(code.config_files) == MAX_FILES
    assert len(code.notes) == 1
    assert code.patch == {}
