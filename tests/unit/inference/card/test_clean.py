"""Accuracy with and without the images whose label is disputed; QMNIST's two parts."""

import dataclasses

import pytest
import torch

from mnist_trainer.data.images import DataSet, LabelledImages
from mnist_trainer.errors import DataError
from mnist_trainer.inference.card import qmnist as card_qmnist
from mnist_trainer.inference.card.clean import DISPUTED, disputed_indexes, score_clean
from mnist_trainer.inference.card.subject import Subject, accuracy_of, spaced_indexes
from mnist_trainer.inference.scoring import evaluation_result, qmnist
from mnist_trainer.inference.scoring.evaluation_result import EvaluationResult, data_settings


def silent(name: str) -> None:
    """No progress is shown."""


def test_the_disputed_images_are_named_and_left_out(subject: Subject, mnist: DataSet) -> None:
    whole = dataclasses.replace(subject, test=mnist.test)
    found = score_clean(whole, silent)
    others = torch.ones(10_000, dtype=torch.bool)
    others[torch.tensor(DISPUTED)] = False
    rest = mnist.test.select(others.nonzero()[:, 0])
    assert found["without_disputed"] == accuracy_of(subject.trained, rest)
    assert found["without_disputed"]["images"] == 9_985
    assert [row["index"] for row in found["disputed"]] == list(DISPUTED)
    for row in found["disputed"]:
        assert row["label"] == str(int(mnist.test.labels[row["index"]]))
        predicted = subject.trained.predict(mnist.test.images[row["index"]])
        assert row["predicted"] == predicted.names[0]


def test_the_disputed_ones_of_fewer_images_and_of_other_data(subject: Subject) -> None:
    assert "without_disputed" not in score_clean(subject, silent)  # 120 test images
    assert disputed_indexes("mnist", 1902).tolist() == [947, 1621, 1901]
    assert not len(disputed_indexes("fashion_mnist", 10_000))


def test_spaced_images_reach_over_the_whole_test() -> None:
    assert spaced_indexes(10_000, 4).tolist() == [0, 2_500, 5_000, 7_500]
    assert spaced_indexes(3, 10).tolist() == [0, 1, 2]


@pytest.fixture
def like_qmnist(mnist: DataSet, monkeypatch: pytest.MonkeyPatch) -> LabelledImages:
    """30 known test images with right labels, then 50 new ones whose labels are off by one."""
    monkeypatch.setattr(qmnist, "NUM_KNOWN", 30)
    first = mnist.test.first(80)
    labels = torch.where(torch.arange(80) < 30, first.labels, (first.labels + 1) % 10)
    data = dataclasses.replace(mnist, name="qmnist", test=LabelledImages(first.images, labels))
    for module in (card_qmnist, evaluation_result):
        monkeypatch.setattr(module, "load_dataset", lambda _: data)
    return data.test


def test_the_parts_of_qmnist_are_apart(
    subject: Subject, like_qmnist: LabelledImages, capsys: pytest.CaptureFixture[str]
) -> None:
    from mnist_trainer.inference.scoring.tables import show

    found = card_qmnist.score_qmnist(subject, silent)
    known = accuracy_of(subject.trained, like_qmnist.select(torch.arange(30)))
    new = accuracy_of(subject.trained, like_qmnist.select(torch.arange(30, 80)))
    assert {**found["known"], "published": None} == {**known, "published": None}
    assert {**found["new"], "published": None} == {**new, "published": None}
    assert known["correct"] > 20 > new["correct"]
    # The same from mnist-eval --data qmnist.
    settings = data_settings(subject.trained, "qmnist", subject.settings.root)
    scored: EvaluationResult = evaluation_result.score_run(subject.trained, settings, "test")
    parts = {row["name"]: row for row in scored.as_json()["parts"]}
    assert [parts[name]["correct"] for name in parts] == [known["correct"], new["correct"]]
    assert scored.metrics.correct == known["correct"] + new["correct"]
    show(scored)
    assert f"{new['correct']} of 50" in capsys.readouterr().out


def test_missing_qmnist_is_skipped_and_never_fetched(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(settings: object) -> DataSet:
        assert not settings.download  # type: ignore[attr-defined]
        raise DataError("there are no files")

    monkeypatch.setattr(card_qmnist, "load_dataset", load)
    found = card_qmnist.score_qmnist(subject, silent)
    assert found.keys() == {"skipped"}
    assert "mnist-eval RUN --data qmnist" in found["skipped"]
