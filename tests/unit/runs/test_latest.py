"""The newest run is found by name, with a record, an old link, or neither."""

import os
from pathlib import Path

import pytest

from mnist_trainer.runs.folder import RunFolder, claim_run_folder
from mnist_trainer.runs.latest import find_latest, record_latest, run_path
from mnist_trainer.runs.lookup import locate_checkpoint
from mnist_trainer.runs.resume import find_run


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make_run(folder: RunFolder, seconds: int = 0) -> RunFolder:
    folder.checkpoints.mkdir(parents=True)
    (folder.checkpoints / "last.pt").write_bytes(b"weights")
    folder.config.write_text("{}")
    (folder.path / ".hydra").mkdir()
    (folder.path / ".hydra" / "hydra.yaml").write_text(f"hydra: {{runtime: {{cwd: {Path.cwd()}}}}}")
    os.utime(folder.config, (seconds, seconds))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> list[RunFolder]:
    """Three runs, of which the second was started last by the times of its files."""
    seconds = (1_000, 3_000, 2_000)
    return [make_run(claim_run_folder("x"), each) for each in seconds]


NAMES = ("latest", "outputs/latest", "./outputs/latest/")


@pytest.mark.parametrize("name", NAMES)
def test_the_recorded_run_has_the_name(name: str, runs: list[RunFolder], tmp_path: Path) -> None:
    for run in runs:
        record_latest(run)
        assert run_path(name).samefile(run.path)
        assert run_path(f"{name}/result.json") == run_path(name) / "result.json"
        found = locate_checkpoint(name)
        assert found.folder == find_run(name) == RunFolder(run.path)
    assert run_path(str(tmp_path / "outputs" / "latest")).samefile(runs[-1].path)
    assert not any(path.is_symlink() for path in Path("outputs").rglob("*"))
    assert (tmp_path / Path("outputs/latest").read_text().strip()).samefile(runs[-1].path)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "record", [None, "outputs/gone", "", "a\0b", "x" * 5000, b"\xff\xfe", "outputs"], ids=str
)
def test_without_a_usable_record_the_times_decide(
    name: str, record: str | bytes | None, runs: list[RunFolder]
) -> None:
    if record is not None:
        content = record if isinstance(record, bytes) else record.encode()
        Path("outputs/latest").write_bytes(content)
    assert run_path(name).samefile(runs[1].path)


def test_a_report_that_is_added_makes_no_run_the_newest(runs: list[RunFolder]) -> None:
    (runs[0].path / "report.html").touch()
    newest = find_latest()
    assert newest is not None
    assert newest.samefile(runs[1].path)


def test_a_link_of_an_older_version_is_followed_then_replaced(runs: list[RunFolder]) -> None:
    link = Path("outputs/latest")
    link.symlink_to(runs[0].path)
    assert run_path("latest").samefile(runs[0].path)
    record_latest(runs[2])
    assert link.is_file()
    assert run_path("latest").samefile(runs[2].path)
    assert runs[0].config.exists()


def test_a_folder_of_that_name_is_left_alone(runs: list[RunFolder]) -> None:
    own = make_run(RunFolder(Path("outputs/latest")))
    record_latest(runs[0])
    assert own.config.exists()
    assert run_path("outputs/latest").samefile(own.path)
    make_run(RunFolder(Path("latest")))
    assert run_path("latest") == Path("latest")


def test_a_run_elsewhere_is_recorded(tmp_path: Path, runs: list[RunFolder]) -> None:
    for place in (tmp_path / "beside", tmp_path.parent / f"{tmp_path.name}-elsewhere"):
        record_latest(make_run(RunFolder(place)))
        assert run_path("latest").samefile(place)


@pytest.mark.parametrize("form", ["{place}", "../{place.name}", "link"])
def test_a_record_leads_to_no_run_of_another_directory(
    form: str, tmp_path: Path, runs: list[RunFolder]
) -> None:
    """R26: it may have come with somebody else's outputs; ``resume=latest`` would go on there."""
    place = tmp_path.parent / f"{tmp_path.name}-of-another"
    make_run(RunFolder(place))
    (place / ".hydra" / "hydra.yaml").write_text("hydra: {runtime: {cwd: /home/another}}")
    if form == "link":
        Path("outputs/latest").symlink_to(place)
    else:
        Path("outputs/latest").write_text(form.format(place=place))
    assert run_path("latest").samefile(runs[1].path)


def test_a_pipe_in_its_place_is_not_waited_for(runs: list[RunFolder]) -> None:
    os.mkfifo("outputs/latest")
    assert run_path("latest").samefile(runs[1].path)


def test_without_a_run_the_name_leads_nowhere() -> None:
    assert find_latest() is None
    assert run_path("latest") == Path("latest")


def test_tensorboard_sees_each_run_once(runs: list[RunFolder]) -> None:
    from tensorboard.backend.event_processing.io_wrapper import GetLogdirSubdirectories

    for run in runs:
        (run.path / "events.out.tfevents.1.computer.1.0").touch()
    record_latest(runs[0])
    assert len(list(GetLogdirSubdirectories("outputs"))) == len(runs)
