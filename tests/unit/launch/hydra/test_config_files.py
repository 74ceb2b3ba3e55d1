"""The run folder keeps copies of the user's own configuration files, and of no others."""

from pathlib import Path

from omegaconf import OmegaConf

from mnist_trainer.config.shipped import config_dir
from mnist_trainer.launch.hydra.config_files import MAX_BYTES, copy_config_files
from mnist_trainer.runs.folder import RunFolder


def copied(tmp_path: Path, *choices: str) -> dict[str, str]:
    own = tmp_path / "own"
    (own / "model").mkdir(parents=True, exist_ok=True)
    (own / "model" / "mine.yaml").write_text("hidden: [16]\n")
    (own / "model" / "unused.yaml").write_text("hidden: [8]\n")
    (own / "model" / "large.yaml").write_text("#" * (MAX_BYTES + 1))
    (tmp_path / "secret.yaml").write_text("password: 1\n")
    sources = [(str(config_dir()), "file"), (str(own), "file"), ("hydra.conf", "pkg")]
    hydra = OmegaConf.create(
        {
            "job": {"config_name": "config"},
            "runtime": {
                "choices": dict(choice.split("=") for choice in choices),
                "config_sources": [{"path": path, "schema": schema} for path, schema in sources],
            },
        }
    )
    folder = RunFolder(tmp_path / "run")
    copy_config_files(hydra, folder)
    return {
        path.relative_to(folder.config_files).as_posix(): path.read_text()
        for path in folder.config_files.rglob("*.yaml")
    }


def test_files_that_were_chosen_are_copied_in_their_layout(tmp_path: Path) -> None:
    assert copied(tmp_path, "model=mine", "data=mnist") == {"model/mine.yaml": "hidden: [16]\n"}


def test_shipped_files_are_not_copied(tmp_path: Path) -> None:
    assert copied(tmp_path, "model=cnn", "optimizer=sgd") == {}


def test_nothing_outside_of_the_folder_is_copied(tmp_path: Path) -> None:
    assert copied(tmp_path, "model=../../secret") == {}


def test_what_is_too_large_is_left_out(tmp_path: Path) -> None:
    assert copied(tmp_path, "model=large") == {}
