"""Files are read beside each other as they are read one after the other."""

import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_trainer.inference.digit_images import detect as module
from mnist_trainer.inference.digit_images.detect import (
    Detection,
    detect,
    detect_all,
    detection_pool,
)
from mnist_trainer.inference.digit_images.find_images import ImageSource


@pytest.fixture
def sources(tmp_path: Path) -> list[ImageSource]:
    """Strokes at different places, and a file that is no picture."""
    paths = [tmp_path / f"{number}.png" for number in range(7)]
    for number, path in enumerate(paths):
        picture = Image.new("L", (120, 90), 235)
        ends = (30 + 8 * number, 20, 34 + 8 * number, 70)
        ImageDraw.Draw(picture).line(ends, fill=30, width=6)
        picture.save(path)
    paths[3].write_bytes(b"no picture")
    return [ImageSource(path.name, path) for path in paths]


def content(found: Detection) -> tuple[str | None, list[object]]:
    return found.error, [(digit.box, digit.image.tobytes()) for digit in found.digits]


def test_several_processes_detect_the_same_in_the_same_order(
    sources: list[ImageSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [content(detect(source, "one", other_things=False)) for source in sources]
    monkeypatch.setattr(module, "MANY", 4)
    monkeypatch.setattr(module, "BATCH", 3)
    monkeypatch.setattr(module, "usable_cores", lambda: 2)
    with detection_pool(sources) as pool:
        assert len(multiprocessing.active_children()) == 2
        found = detect_all(sources, "one", pool, other_things=False)
        assert [content(each) for each in found] == expected
    assert not multiprocessing.active_children()
    assert [error is None for error, _ in expected] == [True] * 3 + [False] + [True] * 3


def test_processes_end_where_nobody_asks_for_the_rest(
    sources: list[ImageSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MANY", 4)
    monkeypatch.setattr(module, "usable_cores", lambda: 2)
    with detection_pool(sources) as pool:
        next(detect_all(sources, "one", pool, other_things=False))
    assert not multiprocessing.active_children()


def test_few_files_and_standard_input_start_no_process(
    sources: list[ImageSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("no process is to be started")

    monkeypatch.setattr(module, "ProcessPoolExecutor", refused)
    monkeypatch.setattr(module, "usable_cores", lambda: 2)
    with detection_pool(sources) as pool:
        assert len(list(detect_all(sources, "one", pool, other_things=False))) == 7
    monkeypatch.setattr(module, "MANY", 4)
    mixed = [*sources, ImageSource("-", None, "nothing there.")]
    with detection_pool(mixed) as pool:
        assert [each.error for each in detect_all(mixed, "one", pool, other_things=False)][-1]


def test_many_digits_are_read_beside_each_other_too(sources: list[ImageSource]) -> None:
    found = detect(sources[0], "many", other_things=False)
    assert found.image is not None
    assert len(found.digits) == 1
    assert np.asarray(found.digits[0].image).shape == (28, 28)
