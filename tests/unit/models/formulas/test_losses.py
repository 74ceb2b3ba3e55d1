"""Losses and their gradients with respect to the logits, against the papers' formulas."""

import numpy as np
import pytest
import torch

from mnist_trainer.models.formulas.losses import (
    CrossEntropy,
    Focal,
    Loss,
    MeanSquaredError,
    NegativeLogLikelihood,
    Poly,
    TargetProbabilityLoss,
    TruncatedPoly,
    one_hot,
    softmax,
)

EVERY_LOSS: dict[str, Loss] = {
    "cross_entropy": CrossEntropy(),
    "smoothed": CrossEntropy(0.1),
    "nll": NegativeLogLikelihood(),
    "mse": MeanSquaredError(),
    "mse of logits": MeanSquaredError("logits"),
    "poly": Poly((2.0,)),
    "poly_n": Poly((2.0, 0.5, -0.1)),
    "poly_series": TruncatedPoly(7),
    "focal": Focal(2.0),
}


def problem(images: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits, labels and one-hot labels."""
    stream = np.random.default_rng(1)
    z, labels = 2 * stream.standard_normal((images, 10)), stream.integers(0, 10, images)
    return z, labels, one_hot(np, labels, z)


def right(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """p_t, (N, 1)."""
    p: np.ndarray = softmax(np, z)[np.arange(len(z)), labels][:, None]
    return p


def test_the_gradient_of_cross_entropy_is_softmax_minus_y() -> None:
    z, _, y = problem()
    for loss in (CrossEntropy(), NegativeLogLikelihood()):
        assert np.allclose(loss.gradient(np, z, y), (softmax(np, z) - y) / 8, rtol=0, atol=1e-15)


def test_poly_1_equals_the_paper() -> None:
    z, labels, y = problem()
    p_t = right(z, labels)
    assert Poly((2.0,)).value(np, z, y) == pytest.approx((-np.log(p_t) + 2 * (1 - p_t)).mean())
    assert np.allclose(
        Poly((2.0,)).gradient(np, z, y),
        (1 + 2 * p_t) * (softmax(np, z) - y) / 8,
        rtol=0,
        atol=1e-15,
    )


def test_poly_n_includes_poly_1_and_cross_entropy() -> None:
    z, _, y = problem()
    for method in ("value", "gradient"):
        assert np.allclose(
            getattr(Poly((0.0, 0.0)), method)(np, z, y), getattr(CrossEntropy(), method)(np, z, y)
        )
        assert np.allclose(
            getattr(Poly((0.7, 0.0)), method)(np, z, y), getattr(Poly((0.7,)), method)(np, z, y)
        )


def test_series_converges_to_cross_entropy() -> None:
    z, labels, y = problem()
    q = 1 - right(z, labels)
    assert TruncatedPoly(3).value(np, z, y) == pytest.approx((q + q**2 / 2 + q**3 / 3).mean())
    losses = [TruncatedPoly(terms).value(np, z, y) for terms in (1, 2, 4, 8, 16, 100)]
    assert losses == sorted(losses)
    assert losses[-1] < CrossEntropy().value(np, z, y)
    sure = np.where(y > 0, 3.0, 0.0)  # p_t = 0.69, q = 0.31: the series converges quickly
    assert TruncatedPoly(40).value(np, sure, y) == pytest.approx(
        CrossEntropy().value(np, sure, y), rel=1e-12
    )


def test_removed_terms_leave_the_rest_of_the_series() -> None:
    """Poly-N with ε_j = −1/j drops the first N terms, so both parts together are cross entropy."""
    z, _, y = problem()
    rest = Poly((-1.0, -1 / 2, -1 / 3))
    for method in ("value", "gradient"):
        together = getattr(rest, method)(np, z, y) + getattr(TruncatedPoly(3), method)(np, z, y)
        assert np.allclose(together, getattr(CrossEntropy(), method)(np, z, y))


def test_focal_loss_downweights_well_classified_images() -> None:
    z, labels, y = problem()
    assert np.allclose(Focal(0.0).gradient(np, z, y), CrossEntropy().gradient(np, z, y))
    p_t = right(z, labels)
    assert Focal(2.0).value(np, z, y) == pytest.approx((-((1 - p_t) ** 2) * np.log(p_t)).mean())


def test_squared_error_sums_classes_and_averages_images() -> None:
    z, _, y = problem()
    assert MeanSquaredError().value(np, z, y) == pytest.approx(
        ((softmax(np, z) - y) ** 2).sum(axis=1).mean()
    )
    assert MeanSquaredError("logits").value(np, z, y) == pytest.approx(
        ((z - y) ** 2).sum(axis=1).mean()
    )


@pytest.mark.parametrize("name", EVERY_LOSS)
def test_torch_and_numpy_agree(name: str) -> None:
    z, labels, y = problem()
    tensor = torch.from_numpy(z)
    y_tensor = one_hot(torch, torch.from_numpy(labels), tensor)
    assert np.array_equal(y_tensor.numpy(), y)
    loss = EVERY_LOSS[name]
    assert loss.value(torch, tensor, y_tensor).item() == pytest.approx(
        loss.value(np, z, y), rel=1e-14
    )
    assert np.allclose(
        loss.gradient(torch, tensor, y_tensor).numpy(), loss.gradient(np, z, y), rtol=0, atol=1e-15
    )


@pytest.mark.parametrize("name", EVERY_LOSS)
def test_batch_gradient_is_the_mean_of_image_gradients(name: str) -> None:
    z, _, y = problem(5)
    alone = np.concatenate(
        [EVERY_LOSS[name].gradient(np, z[n : n + 1], y[n : n + 1]) for n in range(5)]
    )
    assert np.allclose(EVERY_LOSS[name].gradient(np, z, y), alone / 5)


@pytest.mark.parametrize("name", EVERY_LOSS)
def test_confident_predictions_give_finite_numbers(name: str) -> None:
    z = np.array([[2000, 0, 0], [0, 2000, 0], [0, 0, 0]], dtype=np.float32)
    y = np.eye(3, dtype=np.float32)[[0, 0, 0]]
    loss = EVERY_LOSS[name]
    assert np.isfinite(loss.value(np, z, y))
    gradient = loss.gradient(np, z, y)
    assert np.isfinite(gradient).all()
    assert gradient.dtype == np.float32


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0, 5.0])
def test_weight_equals_a_finite_difference(gamma: float) -> None:
    """w = −p_t f'(p_t) = −d f / d ln p_t, by finite differences, up to p_t = 1 − 1e-9."""
    log_p = np.log(np.array([1e-6, 0.1, 0.5, 0.9, 0.999, 1 - 1e-6]))
    losses: tuple[TargetProbabilityLoss, ...] = (
        Focal(gamma),
        Poly((gamma, 1.0)),
        TruncatedPoly(1 + int(gamma)),
    )
    for loss in losses:
        h = 1e-4 * np.abs(log_p)
        slope = (loss.each(np, log_p + h) - loss.each(np, log_p - h)) / (2 * h)
        assert np.allclose(loss.weight(np, log_p), -slope, rtol=1e-5, atol=1e-9)
