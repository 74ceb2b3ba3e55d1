from pathlib import Path

import pytest
from PIL import Image

from mnist_trainer.inference.digit_images.display import write_png
from mnist_trainer.inference.digit_images.find_images import find_images
from mnist_trainer.inference.digit_images.read_image import ImageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "b.png",
        "a.JPG",
        "notes.txt",
        ".hidden.png",
        "sub/c.tiff",
        ".git/d.png",
        "[odd].png",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def names(folder: Path, *words: str) -> list[str]:
    return [
        str(source.file.relative_to(folder)) if source.file else source.name
        for source in find_images(words)
    ]


def test_a_folder_is_its_pictures(folder: Path) -> None:
    assert names(folder, str(folder)) == ["[odd].png", "a.JPG", "b.png", "sub/c.tiff"]


def test_what_show_has_written_is_left_out_of_a_folder_and_heic_is_not(folder: Path) -> None:
    seen = write_png(Image.new("L", (28, 28)), folder / "seen" / "b.png")
    (folder / "d.HEIC").write_bytes(b"x")
    assert names(folder, str(folder)) == ["[odd].png", "a.JPG", "b.png", "d.HEIC", "sub/c.tiff"]
    assert names(folder, str(seen)) == ["seen/b.png"]


def test_a_pattern_is_what_it_matches(folder: Path) -> None:
    assert names(folder, f"{folder}/*.png") == ["[odd].png", "b.png"]
    assert names(folder, f"{folder}/**/*.tiff") == ["sub/c.tiff"]


def test_a_name_that_looks_like_a_pattern_is_a_name(folder: Path) -> None:
    assert names(folder, f"{folder}/[odd].png") == ["[odd].png"]


def test_each_once_in_the_order_of_the_words(folder: Path) -> None:
    assert names(folder, f"{folder}/b.png", str(folder), f"{folder}/b.png")[:2] == [
        "b.png",
        "[odd].png",
    ]
    assert len(names(folder, f"{folder}/b.png", str(folder))) == 4


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("*.gif", "no file matches"),
        ("empty", "no picture in this folder"),
        ("", "name"),
        ("loop", "back to itself"),
        ("gone", "is gone"),
        ("x" * 5000, "name too long"),
    ],
)
def test_what_there_is_not_is_a_problem_of_its_own(folder: Path, word: str, message: str) -> None:
    (folder / "empty").mkdir()
    (folder / "loop").symlink_to("loop")
    (folder / "gone").symlink_to("nowhere")
    (source,) = find_images([f"{folder}/{word}" if word else ""])
    with pytest.raises(ImageError, match=f"(?i){message}"):
        source.read(640)
