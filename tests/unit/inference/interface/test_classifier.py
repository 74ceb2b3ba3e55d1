"""The estimator on given arrays: scikit-learn's own checks, its tools, the scale of pixels."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import check_estimator

from mnist_trainer import MnistClassifier
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.errors import ConfigError, UserError

IMAGES = "fits data of a few features; this estimator takes images of 28x28 pixels"
NEED_IMAGES = dict.fromkeys(
    (
        "check_classifier_data_not_an_array", "check_classifiers_classes",
        "check_classifiers_one_label", "check_classifiers_train", "check_dict_unchanged",
        "check_dont_overwrite_parameters", "check_dtype_object", "check_estimators_dtypes",
        "check_estimators_fit_returns_self", "check_estimators_nan_inf",
        "check_estimators_overwrite_params", "check_estimators_pickle",
        "check_f_contiguous_array_estimator", "check_fit2d_1feature", "check_fit2d_1sample",
        "check_fit2d_predict1d", "check_fit_check_is_fitted", "check_fit_idempotent",
        "check_fit_score_takes_y", "check_methods_sample_order_invariance",
        "check_methods_subset_invariance", "check_n_features_in",
        "check_n_features_in_after_fitting", "check_pipeline_consistency",
        "check_positive_only_tag_during_fit", "check_readonly_memmap_input",
        "check_supervised_y_2d",
    ),
    IMAGES,
)  # fmt: skip


class AnyFeatures(MnistClassifier):
    """As pixels of an image any few features: so scikit-learn's checks reach what is behind."""

    def _images(self, X: Any) -> Any:
        squashed = 1 / (1 + np.exp(-np.clip(X.astype(float), -30, 30)))
        return super()._images(
            np.pad(squashed, ((0, 0), (0, 784 - X.shape[1]))) * 255 / self.scale_
        )


def failed(estimator: Any, expected: dict[str, str]) -> dict[str, str]:
    """Checks of scikit-learn that fail against expectation, with their errors."""
    results = check_estimator(
        estimator, expected_failed_checks=expected, on_fail=None, on_skip=None
    )
    assert sum(each["status"] == "passed" for each in results) >= 20
    return {
        each["check_name"]: repr(each["exception"])
        for each in results
        if each["status"] == "failed"
    }


@pytest.fixture
def digits(some_images: LabelledImages) -> tuple[Any, Any]:
    """Images (300, 784), uint8, and their labels."""
    few = some_images.first(300)
    return few.images.flatten(1).numpy(), few.labels.numpy()


def quick(**parameters: Any) -> MnistClassifier:
    return MnistClassifier(**{"model": "linear", "epochs": 1, "random_state": 0, **parameters})


@pytest.mark.filterwarnings("ignore")
def test_checks_of_scikit_learn_pass_but_those_that_need_other_data() -> None:
    assert failed(MnistClassifier("linear", epochs=1), NEED_IMAGES) == {}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.soak
def test_all_checks_of_scikit_learn_pass_on_features_made_into_images() -> None:
    estimator = AnyFeatures("linear", "adam", epochs=20, learning_rate=0.02)
    # Batches of other sizes may differ in the last digit of a float32.
    rounding = {"check_methods_subset_invariance": "computes in float32"}
    assert failed(estimator, rounding) == {}


def test_the_seed_decides_the_weights_whatever_the_form_of_images(digits: tuple[Any, Any]) -> None:
    X, y = digits
    fitted = quick().fit(X, y)
    hashes = {
        quick().fit(images, y).network_.checkpoint.sha256
        for images in (X / 255, X.astype(float), X.reshape(-1, 28, 28), torch.from_numpy(X))
    }
    assert hashes == {fitted.network_.checkpoint.sha256}
    assert quick(random_state=1).fit(X, y).network_.checkpoint.sha256 != (
        fitted.network_.checkpoint.sha256
    )


def test_labels_of_any_kind_come_back(digits: tuple[Any, Any]) -> None:
    X, y = digits
    numbers = quick(epochs=3).fit(X, y)
    words = np.array([f"class {9 - label}" for label in y])
    text = quick(epochs=3).fit(X, words)
    assert text.classes_.tolist() == [f"class {digit}" for digit in range(10)]
    assert set(text.predict(X)) <= set(words)
    assert text.score(X, words) > 0.5 < numbers.score(X, y)
    few = y % 5 == 1
    pair = quick(epochs=3).fit(X[few], y[few] - 9)
    assert pair.classes_.tolist() == [-8, -3]
    assert pair.predict_proba(X).shape == (300, 2)


def test_it_works_in_scikit_learns_tools(digits: tuple[Any, Any]) -> None:
    X, y = digits
    fitted = clone(quick(overrides=["loss=mse"])).fit(X, y)
    assert (pickle.loads(pickle.dumps(fitted)).predict(X) == fitted.predict(X)).all()
    assert len(cross_val_score(quick(), X, y, cv=3)) == 3
    search = GridSearchCV(quick(), {"learning_rate": [1e-6, 0.1], "model": ["linear"]}, cv=2)
    assert search.fit(X, y).best_params_["learning_rate"] == 0.1
    pipeline = make_pipeline(MinMaxScaler(), quick(epochs=3)).fit(X, y)
    assert pipeline.score(X, y) > 0.5


def test_the_best_epoch_is_kept_by_images_held_out(digits: tuple[Any, Any]) -> None:
    fitted = quick(epochs=4, validation_fraction=0.2, learning_rate=0.5).fit(*digits)
    assert 1 <= fitted.network_.checkpoint.epoch <= 4
    assert repr(fitted.network_).startswith("linear with sgd: 7,850 parameters")


def test_nothing_is_left_on_disk_or_in_the_process(
    digits: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "outputs"))
    state = torch.get_rng_state()
    quick().fit(*digits)
    assert torch.equal(torch.get_rng_state(), state)
    assert list((tmp_path / "outputs").iterdir()) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"model": "cn"}, r"model=cn: .*Did you mean cnn"),
        ({"epochs": 0}, r"trainer.epochs=0"),
        ({"learning_rate": -1}, r"optimizer.lr=-1"),
        ({"validation_fraction": 1}, r"validation_fraction=1: must be"),
        ({"overrides": ["data.train_limit=5"]}, r"data.train_limit=5: MnistClassifier trains on"),
        ({"overrides": ["resume=latest"]}, r"resume=latest: .*train\(\[...\]\)"),
        ({"overrides": ["-m"]}, "-m: "),
    ],
)
def test_wrong_parameters_are_named(
    parameters: dict[str, Any], expected: str, digits: tuple[Any, Any]
) -> None:
    with pytest.raises(ConfigError, match=f"(?s){expected}"):
        quick(**parameters).fit(*digits)


def test_wrong_images_are_named(digits: tuple[Any, Any]) -> None:
    X, y = digits
    with pytest.raises(NotFittedError):
        quick().predict(X)
    with pytest.raises(ValueError, match=r"X has 64 features: .*\(n, 784\)"):
        quick().fit(X[:, :64], y)
    with pytest.raises(ValueError, match=r"X has pixels from -1 to .*must be 0 to 255"):
        quick().fit(X.astype(int) - 1, y)
    fitted = quick().fit(X / 255, y)
    with pytest.raises(ValueError, match=r"X has pixels from 0 to 255: must be 0 to 1, as in fit"):
        fitted.predict(X)


def test_it_works_without_scikit_learn(tmp_path: Path) -> None:
    program = """
import sys
sys.modules["sklearn"] = sys.modules["sklearn.base"] = None
import numpy as np
from mnist_trainer import MnistClassifier
from mnist_trainer.errors import UserError
X = np.zeros((40, 28, 28), np.uint8)
X[:20, 4:24, 12:16] = 255
y = np.array(["line"] * 20 + ["none"] * 20)
estimator = MnistClassifier(epochs=1).set_params(model="linear", random_state=0)
try:
    estimator.predict(X)
except ValueError as error:
    assert "call fit" in str(error)
assert estimator.fit(X, y).score(X, y) == 1
assert "model='linear'" in repr(estimator)
for wrong in (lambda: estimator.fit(X, y[:3]), lambda: estimator.set_params(modle=1)):
    try:
        wrong()
        raise SystemExit("nothing was raised")
    except (ValueError, UserError) as error:
        print(error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert "y the shape (3,)" in ended.stdout
    assert "modle: no parameter. Valid: model, optimizer" in ended.stdout


def test_mistakes_of_the_trainer_are_user_errors(digits: tuple[Any, Any]) -> None:
    with pytest.raises(UserError, match="no longer finite"):
        quick(learning_rate=1e38, epochs=3).fit(*digits)
