"""R26: what is read from a run folder, a checkpoint or a --config-dir is data. Nothing in it
chooses where anything is written, what is read from the environment, or what is contacted."""

import shutil
import subprocess
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch
import yaml

from tests.forked_commands import Forks
from tests.integration.conftest import Command

OLD_RUN = Path(__file__).parents[1] / "data" / "version_0_1" / "run"
SECRET = "a-secret-of-the-environment"  # noqa: S105

Change = Callable[[Path], None]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder from elsewhere, with two epochs done."""
    folder = tmp_path / "downloaded"
    shutil.copytree(OLD_RUN, folder)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Whatever a stranger would like to write to."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / ".profile").write_text("# mine\n")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def add_overrides(run: Path, *words: str) -> None:
    path = run / ".hydra" / "overrides.yaml"
    path.write_text(yaml.safe_dump([*yaml.safe_load(path.read_text()), *words]))


LOGGING = "hydra.job_logging"
WRITING_WORDS = [
    [f"{LOGGING}.handlers.file.filename={{home}}/.profile"],
    [f"{LOGGING}.handlers.file.filename=${{hydra.runtime.output_dir}}/../home/.profile"],
    ["hydra.output_subdir={home}"],
    ["hydra.output_subdir=../home"],
    ["hydra.job.name=../../home/.profile"],
    ["hydra.run.dir={home}/run"],
    ["hydra.sweep.dir={home}/sweep", "hydra.mode=MULTIRUN"],
    ["+hydra.callbacks.x._target_=os.system"],
    ["hydra/job_logging=default", "hydra.job.name={home}/.profile"],
    ["data.root={home}/data"],
    ["~hydra.output_subdir", "+hydra.output_subdir={home}"],
]


@pytest.mark.parametrize("words", WRITING_WORDS, ids=lambda words: words[0])
def test_saved_overrides_choose_no_place(
    run: Path, home: Path, words: list[str], mnist_train: Command
) -> None:
    before = content(home)
    add_overrides(run, *(word.replace("{home}", str(home)) for word in words))
    ended = mnist_train("resume=downloaded", "trainer.epochs=3")
    assert ended.code in (0, 2, 4), ended.err
    assert "Traceback" not in ended.err
    assert content(home) == before


CONFIG_DIR = [
    ("experiment", "hydra: {job: {name: '../../home/.profile'}}"),
    ("experiment", "hydra: {output_subdir: '{home}'}"),
    ("experiment", "hydra: {run: {dir: '{home}/run'}}"),
    ("experiment", "hydra: {sweep: {dir: '{home}/sweep'}}"),
    ("experiment", "hydra: {job_logging: {handlers: {file: {filename: '{home}/.profile'}}}}"),
    (
        "experiment",
        "hydra: {job_logging: {handlers: {file: {filename:"
        " '${hydra.runtime.output_dir}/${hydra.job.override_dirname}/../../../home/.profile'}}}}",
    ),
    ("experiment", "data: {root: '{home}/data'}"),
    ("experiment", "resume: '{home}'"),
    ("experiment", "hydra: {job: {chdir: true}, run: {dir: '{home}/x'}}"),
]


@pytest.mark.parametrize(("group", "text"), CONFIG_DIR, ids=lambda value: str(value)[:60])
def test_config_dir_chooses_no_place(
    group: str, text: str, home: Path, tmp_path: Path, mnist_train: Command
) -> None:
    before = content(home)
    folder = tmp_path / "theirs" / group
    folder.mkdir(parents=True)
    body = text.replace("{home}", str(home))
    (folder / "x.yaml").write_text(f"# @package _global_\n{body}\n")
    ended = mnist_train("--config-dir", "theirs", f"{group}=x", "debug=fast_dev_run", on_data=False)
    assert ended.code == 2, (ended.code, ended.out, ended.err)
    assert "Traceback" not in ended.err
    assert content(home) == before
    assert not (tmp_path / "outputs").exists()


class Server:
    """Remembers the paths that it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_error(404)

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def server() -> Server:
    return Server()


def in_config_dir(tmp_path: Path, value: str) -> list[str]:
    folder = tmp_path / "theirs" / "experiment"
    folder.mkdir(parents=True)
    (folder / "x.yaml").write_text(f"# @package _global_\ndata: {{mirror: '{value}'}}\n")
    return ["--config-dir", "theirs", "experiment=x", "data=fashion_mnist"]


INTERPOLATIONS = [
    "{address}/${oc.env:SECRET}",
    "{address}/${oc.decode:${oc.env:SECRET}}",
    "{address}/${${name}:SECRET}",
]


@pytest.mark.parametrize("value", INTERPOLATIONS)
def test_config_dir_reads_no_environment(
    value: str, server: Server, tmp_path: Path, mnist_train: Command
) -> None:
    words = in_config_dir(tmp_path, value.replace("{address}", server.address))
    ended = mnist_train(*words, "name=oc.env", on_data=False, SECRET=SECRET)
    assert ended.code == 2, ended.err
    assert server.asked == []
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in path.read_bytes() for path in files)


def test_config_dir_contacts_nobody(server: Server, tmp_path: Path, mnist_train: Command) -> None:
    ended = mnist_train(*in_config_dir(tmp_path, server.address), on_data=False)
    assert ended.code == 2, ended.err
    assert "data.mirror" in ended.err
    assert server.asked == []


def test_typed_words_may_read_the_environment(tmp_path: Path, mnist_train: Command) -> None:
    ended = mnist_train("name=${oc.env:SECRET}", "debug=fast_dev_run", SECRET="typed")  # noqa: S106
    assert ended.code == 0, ended.err
    assert list(tmp_path.glob("outputs/*/*typed*"))


def test_saved_words_read_no_environment(run: Path, server: Server, mnist_train: Command) -> None:
    add_overrides(run, f"data.mirror={server.address}/${{oc.env:SECRET}}", "data.download=true")
    ended = mnist_train("resume=downloaded", "trainer.epochs=3", SECRET=SECRET)
    assert ended.code in (0, 2, 4), ended.err
    assert server.asked == []
    assert SECRET not in (run / "config.yaml").read_text()


@pytest.mark.parametrize(
    "words",
    [
        ["tracker=mlflow", "tracker.extra.uri={address}"],
        ["tracker.extra={{_target_: mnist_trainer.trackers.MLflow, uri: '{address}'}}"],
    ],
)
def test_saved_words_choose_no_server_of_a_tracker(
    words: list[str], run: Path, server: Server, mnist_train: Command
) -> None:
    add_overrides(run, *(word.format(address=server.address) for word in words))
    ended = mnist_train("resume=downloaded", "trainer.epochs=3", SECRET=SECRET)
    assert ended.code in (0, 2, 6), ended.err
    assert "tracker.extra.uri" in ended.err
    assert server.asked == []


def poison_checkpoints(run: Path, key: str, value: object) -> None:
    """Checkpoints whose configuration says something else; the manifest agrees with them."""
    for path in (run / "checkpoints").glob("*.pt"):
        state = torch.load(path, weights_only=True)
        state["config"]["data"][key] = value
        torch.save(state, path)
    (run / "checkpoints" / "manifest.json").unlink()


def evaluate(forks: Forks, run: Path, *words: str, **environment: str) -> tuple[int, str]:
    ended = forks.run(
        "eval", str(run), "--no-figures", *words, timeout=120, environment=environment
    )
    return ended.code, ended.err


def test_checkpoint_does_not_choose_where_data_goes(run: Path, home: Path, forks: Forks) -> None:
    poison_checkpoints(run, "root", str(home / "data"))
    code, err = evaluate(forks, run)
    assert code in (0, 4), err
    assert "Traceback" not in err
    assert not (home / "data").exists()


@pytest.mark.parametrize("value", ["{address}", "{address}/${oc.env:SECRET}"])
def test_checkpoint_contacts_nobody(value: str, run: Path, server: Server, forks: Forks) -> None:
    poison_checkpoints(run, "mirror", value.replace("{address}", server.address))
    code, err = evaluate(forks, run, "--data", "fashion_mnist", SECRET=SECRET)
    assert code in (0, 3, 4), err
    assert server.asked == []


def test_hostile_repository_runs_nothing(tmp_path: Path, mnist_train: Command) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    mark, program = tmp_path / "mark", tmp_path / "monitor"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    config = tmp_path / ".git" / "config"
    config.write_text(
        f'{config.read_text()}[core]\n\tfsmonitor = {program}\n[filter "x"]\n\tclean = {program}\n'
    )
    (tmp_path / ".gitattributes").write_text("* filter=x\n")
    ended = mnist_train("debug=fast_dev_run")
    assert ended.code == 0, ended.err
    assert not mark.exists()


HOSTILE_TEXT = "\x1b]0;owned\x07\x1b[31m"


@pytest.mark.parametrize("name", ["a[/b]", "[bold]x", "[link=file:///etc/passwd]x[/link]"])
def test_rich_markup_in_a_name_is_text(name: str, tmp_path: Path, mnist_train: Command) -> None:
    ended = mnist_train(f"name='{name}'", "debug=fast_dev_run", TTY_COMPATIBLE="1", FORCE_COLOR="1")
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err


def test_escape_sequences_are_shown_not_sent(run: Path, forks: Forks) -> None:
    for path in (run / "checkpoints").glob("*.pt"):
        state = torch.load(path, weights_only=True)
        state["class_names"] = [f"{HOSTILE_TEXT}{index}" for index in range(10)]
        torch.save(state, path)
    (run / "checkpoints" / "manifest.json").unlink()
    ended = forks.run("eval", str(run), "--no-figures", timeout=120)
    assert "\x1b]0;" not in ended.out + ended.err
    assert ended.code in (0, 4)
