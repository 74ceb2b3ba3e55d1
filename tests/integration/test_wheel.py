"""The wheel, installed into an environment of its own and run from elsewhere."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.integration.conftest import QUICK

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "--outdir",
            str(folder),
            str(CHECKOUT),
        ],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel; its dependencies are borrowed, because they are six
    gigabytes."""
    environment = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    site = Path(
        subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    )
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)],
        check=True,
    )
    # A path in a .pth file is searched last, and the editable install in it is not followed.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment


def test_the_wheel_holds_data_and_configurations(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for name in (
        "configs/config.yaml",
        "configs/experiment/docs_cnn.yaml",
        "data/mnist/train-images-idx3-ubyte.xz",
        "report/render/templates/style.css",
        "report/render/templates/page.html.jinja",
        "inference/export/page/page.html.jinja",
        "inference/export/page/network.js",
        "inference/export/lesson/texts.json",
        "py.typed",
    ):
        assert f"mnist_trainer/{name}" in names
    assert not [name for name in names if name.startswith(("tests", "configs", "outputs"))]
    assert wheel.stat().st_size < 12e6


def test_the_wheel_trains_from_another_folder_and_writes_only_there(
    installed: Path, tmp_path: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in installed.rglob("*")}
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    environment = {
        **os.environ,
        "HOME": str(home / "read-only"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    work = tmp_path / "work"
    work.mkdir()
    ended = subprocess.run(
        [installed / "bin" / "mnist-train", *QUICK],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert ended.returncode == 0, ended.stderr
    where = subprocess.run(
        [installed / "bin" / "python", "-c", "import mnist_trainer; print(mnist_trainer.__file__)"],
        cwd=work, env=environment, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert where.startswith(str(installed))
    assert (work / (work / "outputs" / "latest").read_text().strip() / "result.json").exists()
    assert (
        tmp_path / "cache" / "mnist-trainer" / "MNIST" / "raw" / "train-images-idx3-ubyte"
    ).stat().st_size == 47_040_016
    assert {path: path.stat().st_mtime_ns for path in installed.rglob("*")} == before
    assert sorted(path.name for path in work.iterdir()) == ["outputs"]
