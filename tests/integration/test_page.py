"""The page to draw on, in a browser: strokes go in, logits come out, and they are PyTorch's."""

import base64
import dataclasses
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from mnist_trainer import load_run
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.errors import ConfigError
from mnist_trainer.inference.digit_images.read_image import read_image
from mnist_trainer.inference.digit_images.segment import find_digit
from mnist_trainer.inference.digit_images.segmentations import classify_digits, segment_by_network
from mnist_trainer.inference.export.html_network import describe
from mnist_trainer.inference.export.html_page import write_html
from mnist_trainer.inference.trained_model import TrainedModel
from mnist_trainer.models.activations import ACTIVATIONS
from mnist_trainer.models.convnet import ConvNet
from mnist_trainer.models.convolutional import CNN, LeNet5
from tests.browser import Browser, browser, find_browser
from tests.integration.conftest import QUICK
from tests.photographs import BLACK, BLUE, GREY, RED, photograph, squared

THREE = [(0.3, 0.22), (0.42, 0.15), (0.58, 0.15), (0.66, 0.25), (0.62, 0.38), (0.48, 0.47)]
THREE += [(0.62, 0.53), (0.7, 0.66), (0.62, 0.8), (0.46, 0.86), (0.3, 0.8)]
STATE = (
    "({strokes: state.strokes.length, logits: state.logits && Array.from(state.logits), image:"
    " state.image &&"
)
STATE += (
    " Array.from(state.image), sheet: sheet.toDataURL('image/png'), verdict: verdict.textContent})"
)

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(
    PROGRAM is None and os.environ.get("MNIST_TRAINER_REQUIRE_ALL") != "1",
    reason="no Chromium here; Debian's package chromium has it",
)


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    assert PROGRAM is not None, "no Chromium here; Debian's package chromium has it"
    with browser(PROGRAM) as opened:
        yield opened


@pytest.fixture(scope="module")
def trained(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """Crop, batch normalisation and three views: what makes a page hardest to get right."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    words = [
        "experiment=fast99",
        "model.batch_norm=true",
        *QUICK,
        f"hydra.run.dir={folder}",
        f"data.root={data_root}",
    ]
    subprocess.run(
        [sys.executable, "-m", "mnist_trainer", *words],
        cwd=folder.parent,
        check=True,
        capture_output=True,
        timeout=280,
    )
    return load_run(folder, device="cpu", precision="fp32")


def corners(tab: Browser, points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Places on the sheet, 0 to 1, as places in the window."""
    left, top, side = tab.value(
        "(({left, top, width}) => [left, top, width])(sheet.getBoundingClientRect())"
    )
    return [(left + side * x, top + side * y) for x, y in points]


def compared(tab: Browser, trained: TrainedModel) -> dict[str, Any]:
    """The state of the page, once its pixels and logits were found to be those of Python for the
    same picture."""
    state: dict[str, Any] = tab.value(STATE)
    picture = read_image(io.BytesIO(base64.b64decode(state["sheet"].partition(",")[2])), 640)
    image = find_digit(picture.pixels).image
    np.testing.assert_array_equal(image.reshape(-1), state["image"])
    expected = trained.logits(image)[0].numpy()
    difference = float(np.abs(expected - state["logits"]).max())
    print(f"largest difference of the logits: {difference:.1e}")
    assert difference <= 1e-3
    assert state["verdict"] == trained.class_names[int(expected.argmax())]
    return state


def test_strokes_by_mouse_finger_and_keys(
    tab: Browser, trained: TrainedModel, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    exported = write_html(trained, page)
    assert any(f"{page.stat().st_size / 1000:,.0f} kB" in value for _, value in exported.findings)
    tab.do(
        "Emulation.setDeviceMetricsOverride",
        width=360,
        height=900,
        deviceScaleFactor=2,
        mobile=False,
    )
    tab.open(page)
    assert tab.value("document.documentElement.scrollWidth <= 360")
    assert tab.value(STATE)["logits"] is None

    tab.mouse(corners(tab, THREE))
    assert compared(tab, trained)["strokes"] == 1
    tab.touch(corners(tab, [(0.2, 0.9), (0.4, 0.92), (0.8, 0.9)]))
    assert compared(tab, trained)["strokes"] == 2
    tab.value("document.getElementById('undo').click()")
    tab.value("sheet.focus()")
    for key in (" ", *["ArrowDown"] * 12, " ", "ArrowLeft", "ArrowLeft"):
        tab.key(key)
    state = compared(tab, trained)
    assert state["strokes"] == 2
    for _ in range(100):
        if spoken := tab.value("document.getElementById('spoken').textContent"):
            break
        time.sleep(0.05)
    assert re.fullmatch(rf"{state['verdict']}, \d+ percent", spoken)
    tab.key("Escape")
    assert tab.value(STATE)["strokes"] == 0


def opened(tab: Browser, file: Path) -> list[list[int]]:
    """Choose a file in the page, and wait for the 28x28 bytes of each segmentation."""
    tab.value("hint.textContent = ''")
    tab.choose_file("#file", file)
    for _ in range(600):
        if tab.value("hint.textContent"):
            break
        time.sleep(0.05)
    images: list[list[int]] = tab.value("state.images.map((image) => Array.from(image))")
    return images


def test_pictures_are_placed_as_mnist_predict_places_them(
    tab: Browser, trained: TrainedModel, some_images: LabelledImages, tmp_path: Path
) -> None:
    digits = some_images.images[:6, 0].numpy()
    border: Any = [((-0.1, 0.06), (1.1, 0.1), BLACK, 9), ((0.93, -0.1), (0.95, 0.8), BLACK, 5)]
    pictures = {
        "red": photograph(digits[0], RED, lines=border),
        "squared": photograph(digits[1], BLUE, lines=squared(0.2, GREY, 2)),
        "small": photograph(digits[2], place=(190, 20, 80), lines=border),
        "large": photograph(digits[3], RED, place=(60, 60, 760), side=900, lines=border),
        "chalk": 255 - photograph(digits[4]),
        "28x28": np.repeat(digits[5][..., None], 3, axis=2),
        "empty": np.full((50, 40, 3), 200, np.uint8),
    }
    write_html(trained, tmp_path / "page.html")
    tab.open(tmp_path / "page.html")
    several = 0
    for name, pixels in pictures.items():
        file = tmp_path / f"{name}.png"
        Image.fromarray(pixels).save(file)
        found = opened(tab, file)
        if name == "empty":
            assert found == []
            continue
        (digit,) = segment_by_network([find_digit(read_image(file, 640).pixels)])
        expected = [each.image.reshape(-1).astype(int) for each in (digit, *digit.alternatives)]
        # float32 here, float64 there: a level of 256 is the most that rounding may come to.
        assert np.abs(np.stack(expected) - found).max() <= 1, name
        (answer,) = classify_digits([digit], trained)
        shares = trained.calibrated(torch.from_numpy(answer.logits[None]))[0].numpy()
        assert np.abs(shares - tab.value("Array.from(state.probabilities)")).max() <= 0.01, name
        several += len(found) > 1
    assert several >= 2
    (tmp_path / "no picture.png").write_bytes(b"text")
    before = tab.value("state.image")
    opened(tab, tmp_path / "no picture.png")
    assert "no picture" in tab.value("hint.textContent")
    assert tab.value("state.image") == before


def test_it_asks_nothing_of_the_network(
    tab: Browser, trained: TrainedModel, tmp_path: Path
) -> None:
    write_html(trained, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|src=|@import|url\(", text)
    tab.open(tmp_path / "page.html")
    for address in ("https://example.invalid", "data:text/plain,1"):
        assert tab.value(f"fetch('{address}').then(() => 'open', () => 'closed')") == "closed"
    # What is put in by a name of a class is text, not a part of the page.
    hostile = dataclasses.replace(
        trained, class_names=("</script><img src=x onerror=alert(1)>", *trained.class_names[1:])
    )
    write_html(hostile, tmp_path / "hostile.html")
    tab.open(tmp_path / "hostile.html")
    assert tab.value("document.querySelectorAll('img').length") == 0
    assert tab.value("rows[0].querySelector('th').textContent") == hostile.class_names[0]


MODELS: dict[str, Callable[[str], nn.Module]] = {
    "cnn": lambda name: CNN([4, 6], 5, 1, 2, [12], name, 0.3, 10, 24),
    "convnet": lambda name: ConvNet(
        [
            {"channels": 4, "kernel_size": 5, "stride": 2, "padding": 2},
            {"channels": 6, "kernel_size": 3, "pool": 2},
        ],
        True,
        [9],
        name,
        0.1,
        10,
        24,
    ),
}


def test_every_layer_and_activation_computes_what_pytorch_does(
    tab: Browser, trained: TrainedModel, tmp_path: Path
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    uncropped = dataclasses.replace(trained.transforms, fixed=trained.transforms.fixed[1:])
    lenet = dataclasses.replace(
        trained,
        model=LeNet5("tanh", "average", 0.2, 10).eval(),
        transforms=uncropped,
        image_size=28,
    )
    others = [
        dataclasses.replace(trained, model=make(name).eval())
        for name, make in [(name, make) for make in MODELS.values() for name in ACTIVATIONS]
    ]
    write_html(trained, tmp_path / "page.html")
    tab.open(tmp_path / "page.html")
    for each in [lenet, *others]:
        for module in each.model.modules():
            if (
                isinstance(module, nn.BatchNorm2d)
                and module.running_mean is not None
                and module.running_var is not None
            ):
                torch.nn.init.uniform_(module.running_mean, -1, 1)
                torch.nn.init.uniform_(module.running_var, 0.5, 2)
        found = tab.value(
            f"Array.from(logitsOf(unpack({json.dumps(describe(each))}),"
            f" {image.reshape(-1).tolist()}))"
        )
        np.testing.assert_allclose(
            found, each.logits(image)[0].numpy(), atol=1e-4, err_msg=str(each.model)
        )


class Doubled(nn.Module):
    """More than its layers one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(576, 10))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 2 * self.layers(images)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(576, 10), nn.Softmax(dim=1)), "2: Softmax"),
        (
            nn.Sequential(nn.Conv2d(1, 4, 3, dilation=2), nn.Flatten(), nn.Linear(1600, 10)),
            "0: Conv2d",
        ),
        (Doubled(), "Doubled"),
    ],
)
def test_what_the_page_cannot_compute_is_named(
    trained: TrainedModel, model: nn.Module, named: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=named):
        write_html(dataclasses.replace(trained, model=model.eval()), tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
