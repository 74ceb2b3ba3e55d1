"""Write docs/gradients.md from ``mnist_trainer.gradient_check``: python docs/make_gradients.py"""

from collections.abc import Sequence
from pathlib import Path

from mnist_trainer.gradient_check import Check, check_activations, check_losses

PAGE = Path(__file__).with_name("gradients.md")

HEAD = """\
# Derivatives, checked

The activations and losses of this package are formulas, written once for PyTorch and NumPy in
[`formulas/`](../src/mnist_trainer/models/formulas), each with its derivative and its source. The
engines that train without autograd use the derivatives; autograd does not. So each derivative can
be held against two things that know nothing of it:

* the **finite difference** `(f(z + h) - f(z - h)) / 2h`, h = 1e-5, of the function in NumPy, right
  to about 1e-9,
* **autograd**, through the module that training uses, right to the last digits.

The column **value** compares the functions themselves, the formula in NumPy with PyTorch's module.
Every entry is the largest difference found, in float64. The tests compute this page anew; to see it
for yourself:

```console
$ python -m mnist_trainer.gradient_check
```
"""

ACTIVATIONS = """\
## Activations

`mnist-train model.activation=NAME`. At 1,200 places from -6 to 6. σ is the sigmoid, Φ and φ are the
distribution and the density of the standard normal, gd is the Gudermannian function. [Chapter
6](foundations/06-activations.md) draws them.
"""

LOSSES = """\
## Losses

`mnist-train loss=NAME loss.OPTION=VALUE`. On 64 images with ten logits z each, of growing size, so
that the right class is surely found in some and surely missed in others. p is softmax(z), y the
label as zeros and a one, p_t the probability of the right class, q = 1 - p_t. The loss of a batch
is the mean over its images; the gradient is that of one image's loss.
"""


def page() -> str:
    """The whole page, as Markdown."""
    return "\n".join(
        [
            HEAD,
            ACTIVATIONS,
            table("f(z)", "f'(z)", list(check_activations())),
            LOSSES,
            table("L", "∂L/∂z", list(check_losses())),
        ]
    )


def table(function: str, derivative: str, checks: Sequence[Check]) -> str:
    """One row a check."""
    lines = [
        f"| | {function} | {derivative} | value | finite difference | autograd |",
        "|---|---|---|---:|---:|---:|",
    ]
    lines += [
        f"| `{check.name}` | {check.function} | {check.derivative}"
        f" | {check.value:.0e} | {check.finite_difference:.0e} | {check.autograd:.0e} |"
        for check in checks
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
