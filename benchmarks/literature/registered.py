"""The claims, each written down with its tolerance before anything was trained for it."""

from benchmarks.literature.claim import Claim
from benchmarks.literature.recipes import FEW
from benchmarks.literature.verdict import Accepted, around, pairs_needed

LECUN = "LeCun et al., Gradient-based learning applied to document recognition (1998), figure 9"
MNIST_C = "Mu and Gilmer, MNIST-C (2019)"
MADRY = (
    "Madry et al., Towards deep learning models resistant to adversarial attacks (2018), table 1"
)
HENDRYCKS = "Hendrycks and Gimpel, A baseline for detecting misclassified examples (2017)"
YADAV = "Yadav and Bottou, Cold case: the lost MNIST digits (2019)"
HINTON = "Hinton, Vinyals and Dean, Distilling the knowledge in a neural network (2015), section 3"
JORDAN = "Jordan, Calibrated chaos: variance between runs of neural network training (2023)"
LENG = "Leng et al., PolyLoss (2022)"

SD_OF_FAST99 = 0.04
"""Standard deviation over seeds of the test accuracy of experiment=fast99, in points
(docs/results.md): what the number of pairs for PolyLoss was planned with."""
SMALLEST_DIFFERENCE = 0.05

OUR_CNN = "model=cnn (8,490 parameters), Adam, 3 epochs; 2,000 test images, evenly spaced"
OUR_MLP = (
    "784-256-256-256-10 with GELU, pixels 0 to 1, Adam, 5 epochs (published: 30); 10,000 images of"
    " noise"
)
OUR_STUDENT = "784-800-800-10, no regularization, Adam, one cycle of 10 epochs"

CONTROL = Claim(
    "linear-99", "control",
    "A linear network classifies 99 % of the test images (wrong, put in on purpose)",
    "nobody; linear classifiers are published with 88 to 92.4 %", "99 %",
    around(99, 0.5), "%", 3, "model=linear, Adam, 2 epochs",
)  # fmt: skip


def _order(per_class: int, better: str, worse: str) -> Claim:
    images = 10 * per_class
    return Claim(
        f"order-{images}-{better}-over-{worse}", "few_images",
        f"With {images:,} training images {better} is more accurate than {worse}",
        LECUN, "order on 60,000 images: linear, two layers, CNN (88.0, 95.3, 99.05 %)",
        Accepted(low=0), "points", 10,
        "difference of test accuracy in pairs of the same images and seed; other images with each"
        " seed; one cycle of Adam",
    )  # fmt: skip


ORDER = [
    _order(per_class, better, worse)
    for per_class in FEW
    for better, worse in (("two_layer", "linear"), ("cnn", "two_layer"))
]

CORRUPTED = [
    Claim(
        "mnist-c-mean", "mnist_c", "A plain CNN classifies 78 % of the images of MNIST-C, mean over"
        " its 15 corruptions", MNIST_C, "78 % (one seed)", around(78, 5), "%", 3,
        OUR_CNN + "; corruptions written anew from the paper's description",
    ),
    Claim(
        "mnist-c-hardest", "mnist_c", "The five corruptions that cost a plain CNN most are stripe,"
        " impulse noise, fog, translate and canny edges", MNIST_C, "5 of 5 (one seed)",
        Accepted(4, 5), "of 5", 3, OUR_CNN + "; the interval is the range over seeds",
    ),
]  # fmt: skip

ATTACKED = [
    Claim(
        f"madry-{attack}", "adversarial", f"A CNN trained with PGD classifies {value} % of the test"
        f" images under {words} at epsilon 0.3", MADRY, f"{value} %", around(value, tolerance),
        "%", 1, "experiment=adversarial; 500 test images, evenly spaced; the interval is over"
        " images (Wilson)",
    )
    for attack, words, value, tolerance in (
        ("fgsm", "FGSM", 96.4, 2.5), ("pgd", "PGD of 100 steps, one restart,", 92.5, 3.5)
    )
]  # fmt: skip

UNKNOWN = [
    Claim(
        "softmax-errors", "unknown", "The maximal softmax probability of an MLP tells its errors"
        " from its correct answers with an AUROC of 97.8 %", HENDRYCKS, "97.8 %",
        around(97.8, 1.5), "%", 5, OUR_MLP,
    ),
    Claim(
        "softmax-uniform", "unknown", "It tells uniform noise from digits with an AUROC of 98.0 %",
        HENDRYCKS, "98.0 %", around(98.0, 3), "%", 5, OUR_MLP,
    ),
    Claim(
        "softmax-gaussian", "unknown", "It tells Gaussian noise from digits with an AUROC of"
        " 88.6 %", HENDRYCKS, "88.6 %", around(88.6, 6), "%", 5,
        OUR_MLP + "; normal, mean 0.5, sd 1, clipped (the published mean and sd are not known"
        " here)",
    ),
]  # fmt: skip

QMNIST = [
    Claim(
        f"qmnist-{part}", "qmnist", f"A network like LeNet-5 has {value} % errors on {words} of"
        " QMNIST", YADAV, f"{value} ± {spread} %", around(value, spread), "%", 3,
        "model=lenet5, Adam, one cycle of 6 epochs",
    )
    for part, words, value, spread in (
        ("known", "the 10,000 known test images", 0.82, 0.2),
        ("new", "the 50,000 new test images", 1.08, 0.1),
    )
]  # fmt: skip

DISTILLATION = [
    Claim(
        "distill-alone", "distillation", "784-800-800-10 makes 146 errors on the test images when"
        " trained alone", HINTON, "146 errors", around(146, 25), "errors", 3, OUR_STUDENT,
    ),
    Claim(
        "distill-student", "distillation", "The same network makes 74 errors when distilled at"
        " T = 20", HINTON, "74 errors", around(74, 20), "errors", 3, OUR_STUDENT + "; teacher"
        " 784-1200-1200-10, dropout 0.5, shifts of up to 2 pixels, one cycle of 12 epochs",
    ),
    Claim(
        "distill-gain", "distillation", "Distillation spares it 72 errors, or at least half as"
        " many", HINTON, "72 errors", Accepted(low=36), "errors", 3, OUR_STUDENT,
    ),
]  # fmt: skip

VARIANCE = Claim(
    "independent-errors", "variance", "Given the images, two seeds' errors are nearly independent:"
    " the standard deviation of the test accuracy over seeds is that of independent errors", JORDAN,
    "nearly 1 (CIFAR-10, networks trained to the end)", Accepted(0.7, 1.4), "times", 40,
    "sd over seeds, divided by the root of the sum of p (1 - p) over the test images, p estimated"
    " without bias; two_layer on 10,000 images, one cycle of 6 epochs; the interval is by"
    " chi-square",
)  # fmt: skip

POLYLOSS = Claim(
    "polyloss", "poly", "Poly-1 with epsilon 1 against cross entropy: difference of test accuracy",
    LENG, "nothing on MNIST", None, "points",
    pairs_needed(2**0.5 * SD_OF_FAST99, SMALLEST_DIFFERENCE),
    "experiment=fast99 without label smoothing, pairs of the same seed; the number of pairs finds"
    " 0.05 points with 80 % power",
)  # fmt: skip

CLAIMS: tuple[Claim, ...] = (
    CONTROL, *ORDER, *CORRUPTED, *ATTACKED, *UNKNOWN, *QMNIST, *DISTILLATION, VARIANCE, POLYLOSS,
)  # fmt: skip
