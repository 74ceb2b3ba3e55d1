"""Published results that stand beside the numbers of a card."""

from typing import Any


def published(value: float, model: str, source: str) -> dict[str, Any]:
    """A published result: a share, the network that it is of, and where it was published."""
    return {"value": value, "model": model, "source": source}


MNIST_C = "Mu and Gilmer, MNIST-C: a robustness benchmark for computer vision (2019)"
MADRY = "Madry et al., Towards deep learning models resistant to adversarial attacks (2018)"
HENDRYCKS = (
    "Hendrycks and Gimpel, A baseline for detecting misclassified and out-of-distribution examples"
    " in neural networks (2017)"
)
YADAV = "Yadav and Bottou, Cold case: the lost MNIST digits (2019)"

CORRUPTIONS_MEAN = published(0.78, "a plain CNN, one seed", MNIST_C)
FGSM_AT_0_3 = published(0.964, "a CNN trained with PGD", MADRY)
PGD_AT_0_3 = published(0.925, "a CNN trained with PGD, PGD of 100 steps", MADRY)
ERROR_AUROC = published(0.978, "an MLP", HENDRYCKS)
UNKNOWN_AUROC = {
    "uniform_noise": published(0.980, "an MLP", HENDRYCKS),
    "gaussian_noise": published(0.886, "an MLP", HENDRYCKS),
}
QMNIST = {
    "known": published(1 - 0.0082, "a network like LeNet-5, ± 0.2 %", YADAV),
    "new": published(1 - 0.0108, "a network like LeNet-5, ± 0.1 %", YADAV),
}
