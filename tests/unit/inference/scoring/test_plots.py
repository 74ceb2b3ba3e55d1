"""Figures hold what they are to show, for any number of classes, and also where there is nothing to
show."""

import numpy as np
import pytest

from mnist_trainer.inference.scoring import plots


@pytest.mark.parametrize("size", [2, 10, 26])
def test_a_confusion_matrix_writes_every_count(size: int) -> None:
    confusion = np.arange(size * size).reshape(size, size)
    axes = plots.confusion_matrix(confusion, [f"class {n}" for n in range(size)], "title").axes[0]
    written = sorted(int(text.get_text()) for text in axes.texts)
    assert written == sorted(confusion[confusion > 0].tolist())
    assert [label.get_text() for label in axes.get_yticklabels()][-1] == f"class {size - 1}"


def test_a_gallery_names_index_labels_and_probability() -> None:
    mistakes = [plots.Mistake(np.zeros((28, 28)), 40 + n, "4", "9", 0.987) for n in range(9)]
    drawn = plots.gallery(mistakes, "title")
    titles = [axes.get_title() for axes in drawn.axes if axes.get_title()]
    assert titles == ["true 4, predicted 9\n98.7 %"] * 9
    assert [axes.get_xlabel() for axes in drawn.axes][:9] == [f"#{40 + n}" for n in range(9)]
    assert "none" in plots.gallery([], "title").get_suptitle()


def test_filters_share_one_scale_around_zero() -> None:
    drawn = plots.filters(np.array([np.full((5, 5), -3.0), np.eye(5)]), "title")
    limits = {image.get_clim() for axes in drawn.axes for image in axes.images}
    assert limits == {(-3.0, 3.0)}
    assert "64 of 100" in plots.filters(np.ones((100, 2, 2)), "title").get_suptitle()


def test_bars_show_the_lowest_value() -> None:
    values = np.array([1.0, 0.5, 0.0])
    low, high = (
        plots.class_bars(values, values, values, ["a", "b", "c"], "title").axes[0].get_ylim()
    )
    assert (low, high) == (0, 100)
    low, _ = (
        plots.class_bars(
            values * 0 + 0.99, values * 0 + 0.98, values * 0 + 0.99, ["a", "b", "c"], ""
        )
        .axes[0]
        .get_ylim()
    )
    assert 90 < low < 98
