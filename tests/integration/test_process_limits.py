"""R32, R35: limits of the process, lost output, and names of every kind, on whole commands."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import QUICK, Command
from tests.integration.test_faults import is_short

MODULES = (
    "mnist_trainer",
    *(f"mnist_trainer.cli.{name}" for name in ("eval", "export", "predict")),
)
EVERY_MODULE = (
    *MODULES,
    "mnist_trainer.cli.report",
    "mnist_trainer.cli.passport",
    "mnist_trainer.doctor",
)
TINY = (*QUICK, "model=linear")


def run(
    *words: str | bytes,
    module: str = "mnist_trainer",
    cwd: Path | bytes,
    before: Callable[[], object] | None = None,
    stdout: int = subprocess.PIPE,
    **environment: str,
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=cwd,
        preexec_fn=before,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
        timeout=120,
    )


def is_message(ended: subprocess.CompletedProcess[bytes]) -> bool:
    said = ended.stderr.decode(errors="replace")
    return "Traceback" not in said and "bug of" not in said and 1 <= len(said.splitlines()) <= 10


def results(folder: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text()) for path in folder.glob("outputs/20*/*/result.json")]


@pytest.mark.parametrize("megabytes", [200, 1000, 2000])
@pytest.mark.parametrize("module", MODULES)
def test_an_address_space_that_is_too_small_is_told(
    module: str, megabytes: int, tmp_path: Path, finished_run: Path
) -> None:
    words = {
        "mnist_trainer": list(TINY),
        "mnist_trainer.cli.eval": [str(finished_run)],
        "mnist_trainer.cli.export": [str(finished_run), "--format", "safetensors"],
        "mnist_trainer.cli.predict": [str(finished_run), "x.png"],
    }[module]
    size = megabytes * 2**20

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (size, size))

    ended = run(*words, module=module, cwd=tmp_path, before=limit)
    assert ended.returncode == 6, ended.stderr
    assert b"ulimit -v" in ended.stderr
    assert is_message(ended)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory, data_root: Path) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    ended = run(*TINY, f"data.root={data_root}", "hydra.run.dir=run", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    return folder / "run"


def test_sixteen_open_files_are_enough(tmp_path: Path, data_root: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))

    ended = run(*TINY, f"data.root={data_root}", cwd=tmp_path, before=limit)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("lost", ["full", "closed", "pipe"])
def test_a_run_whose_output_is_lost_is_completed(
    lost: str, tmp_path: Path, data_root: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    full = os.open("/dev/full", os.O_WRONLY)
    ended = run(
        *TINY,
        f"data.root={data_root}",
        cwd=tmp_path,
        before=(lambda: os.close(1)) if lost == "closed" else None,
        stdout={"full": full, "closed": subprocess.DEVNULL, "pipe": writing}[lost],
    )
    os.close(writing)
    os.close(full)
    (result,) = results(tmp_path)
    assert result["status"] == "completed"
    assert ended.returncode == (141 if lost == "pipe" else 6)
    assert (ended.stderr == b"") if lost == "pipe" else is_message(ended)


@pytest.mark.parametrize("words", [["--help"], ["--cfg", "job"], ["--info", "searchpath"]])
def test_an_answer_that_is_lost_is_told(words: list[str], tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    ended = run(*words, cwd=tmp_path, stdout=full)
    os.close(full)
    assert ended.returncode == 6
    assert is_message(ended)


@pytest.mark.parametrize("module", EVERY_MODULE)
def test_bytes_that_are_no_text_are_refused_in_any_word(module: str, tmp_path: Path) -> None:
    ended = run(b"name=a\xff\xfe", module=module, cwd=tmp_path)
    assert ended.returncode == 2
    assert b"no UTF-8" in ended.stderr
    assert is_message(ended)


@pytest.mark.parametrize("key", ["name", "hydra.run.dir", "data.root"])
def test_nor_are_they_taken_from_the_environment(key: str, tmp_path: Path) -> None:
    ended = run(*TINY, f"{key}=${{oc.env:ODD}}", cwd=tmp_path, ODD="a\udcff")
    assert ended.returncode == 2
    assert b"no UTF-8" in ended.stderr
    assert is_message(ended)


def test_a_variable_that_is_not_set_is_a_mistake(tmp_path: Path) -> None:
    ended = run(*TINY, "hydra.run.dir=${oc.env:NOT_SET}", cwd=tmp_path)
    assert ended.returncode == 2
    assert is_message(ended)
    assert list(tmp_path.iterdir()) == []


def test_a_run_folder_may_be_named_by_a_variable(tmp_path: Path, data_root: Path) -> None:
    words = [*TINY, f"data.root={data_root}", "hydra.run.dir=${oc.env:PLACE}/run"]
    assert run(*words, cwd=tmp_path, PLACE="here").returncode == 0
    assert (tmp_path / "here" / "run" / "result.json").is_file()


@pytest.mark.parametrize("module", EVERY_MODULE)
def test_a_working_folder_that_is_gone_is_told(module: str, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    ended = run("x", module=module, cwd=gone, before=lambda: shutil.rmtree(gone))
    assert ended.returncode == 6
    assert b"working directory" in ended.stderr
    assert is_message(ended)


@pytest.mark.parametrize("name", ["~a\nb'c\"d", "a=b,[c]\\d"])
def test_a_run_works_in_a_folder_of_any_name(
    name: str, mnist_train: Command, tmp_path: Path
) -> None:
    here = tmp_path / name
    here.mkdir()
    started = mnist_train(*TINY, cwd=here)
    assert started.code == 0, started.err
    resumed = mnist_train("resume=latest", "trainer.epochs=2", cwd=here)
    assert resumed.code == 0, resumed.err
    (result,) = results(here)
    assert result["epochs"] == 2


@pytest.mark.parametrize("name", [b"a${b}", b"a\xffb"])
@pytest.mark.parametrize("words", [[], ["-m", "seed=0,1"]], ids=["run", "sweep"])
def test_a_folder_that_hydra_cannot_name_is_refused(
    name: bytes, words: list[str], tmp_path: Path, data_root: Path
) -> None:
    here = tmp_path / os.fsdecode(name)
    here.mkdir()
    ended = run(*words, *TINY, f"data.root={data_root}", cwd=here)
    assert ended.returncode == 2
    assert is_message(ended)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("key", ["data.root", "hydra.run.dir", "resume"])
def test_a_path_that_can_be_none_is_a_mistake(
    key: str, mnist_train: Command, tmp_path: Path
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for value in ("~nosuchuser/x", "loop", "\u00e4" * 200):
        ended = mnist_train(*TINY, f"{key}={value}", on_data=key != "data.root")
        assert ended.code == 2, ended.err
        assert is_short(ended)
        assert [path.name for path in tmp_path.iterdir()] == ["loop"]


@pytest.mark.parametrize(
    "word",
    [
        "device.threads=100000",
        "device.threads=1000000000000",
        *(
            f"{key}=1{'0' * 30}"
            for key in ("trainer.epochs", "trainer.batch_size", "data.num_workers", "data.std")
        ),
    ],
)
def test_an_absurd_number_is_a_mistake(word: str, mnist_train: Command, tmp_path: Path) -> None:
    ended = mnist_train(*(each for each in TINY if each[:14] != word[:14]), word)
    assert ended.code == 2, ended.err
    assert "at most" in ended.err
    assert list(tmp_path.iterdir()) == []
