"""Backpropagation through fully connected layers, written out: one text for tensors and for NumPy's
arrays.

Layer l turns what the layer before it gives, a_(l-1), into a_l. It has weights W_l (out, in), a
bias b_l (out,) and an activation f_l; a_0 = x are the images, N of them, each laid out in a row.
The last layer has f(z) = z: its a are the logits.

    forward     z_l = a_(l-1) W_l^T + b_l                      (N, out)
                a_l = f_l(z_l) * m_l                           (N, out)     m_l: which units dropout
                keeps
    backward    delta_l = dL/dz_l                              (N, out)
                delta_L = the loss's own gradient              (N, C)       BP1
                delta_l = (delta_(l+1) W_(l+1)) * m_l * f_l'(z_l)           BP2
                dL/db_l = the sum of delta_l over the images   (out,)       BP3
                dL/dW_l = delta_l^T a_(l-1)                    (out, in)    BP4

The numbers BP1 to BP4 are those of Nielsen, Neural Networks and Deep Learning (2015), chapter 2,
where images are columns; here they are rows, as in PyTorch, and the loss is a mean over them, so
that its 1/N is in delta_L already. The same are algorithms 6.3 and 6.4 of Goodfellow, Bengio and
Courville, Deep Learning (2016), section 6.5, and equations 4 to 7 of Rumelhart, Hinton and
Williams, Learning representations by back-propagating errors, Nature 323 (1986). Dropout:
Srivastava et al., Dropout, JMLR 15 (2014), section 4, with the scaling by 1 / (1 - p) done in
training.

``xp`` is the namespace of the arrays: ``torch`` or ``numpy``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mnist_trainer.models.formulas.activations import Activation
from mnist_trainer.models.formulas.namespace import Array, Namespace


@dataclass(frozen=True)
class Layer:
    """z = a W^T + b, then a = f(z), then dropout."""

    W: Array
    """(out, in)."""
    b: Array | None
    """(out,), or none."""
    f: Activation
    dropout: float
    """Probability with which a unit is dropped."""


@dataclass(frozen=True)
class LayerCache:
    """What the way back needs to know of a layer's way forward."""

    a_before: Array
    """(N, in)."""
    z: Array
    """(N, out)."""
    m: Array | None
    """(N, out): 0 where a unit was dropped, else 1 / (1 - p); none where the layer drops none."""


@dataclass(frozen=True)
class Gradient:
    """dL/dW (out, in) and dL/db (out,) of a layer."""

    dW: Array
    db: Array


DrawMask = Callable[[tuple[int, int], float], Array]
"""From a shape (N, out) and the probability of dropping: 0 for each unit that is dropped, 1 / (1 -
p) for each that is kept."""


def forward(
    xp: Namespace, layers: Sequence[Layer], x: Array, draw_mask: DrawMask
) -> tuple[Array, list[LayerCache]]:
    """From images x (N, in) to logits (N, C), and the caches of the layers; algorithm 6.3
    of Goodfellow et al."""
    a = x  # (N, in)
    caches = []
    for layer in layers:
        z = a @ layer.W.T  # (N, in) @ (in, out) -> (N, out)
        if layer.b is not None:
            z = z + layer.b  # (N, out) + (out,)
        m = draw_mask(z.shape, layer.dropout) if layer.dropout > 0 else None
        caches.append(LayerCache(a, z, m))
        a = layer.f.value(xp, z)  # (N, out)
        if m is not None:
            a = a * m
    return a, caches


def backward(
    xp: Namespace, layers: Sequence[Layer], caches: Sequence[LayerCache], dL_da: Array
) -> list[Gradient]:
    """From the gradient of the loss by the logits, dL_da (N, C), to that of each layer; algorithm
    6.4 of Goodfellow et al.

    A layer multiplies what arrives at its output by the derivative of its activation, which gives
    delta; takes its own gradients from that; and hands the rest to the layer before it.
    """
    gradients = []
    for number in reversed(range(len(layers))):
        layer, way = layers[number], caches[number]
        if way.m is not None:
            dL_da = dL_da * way.m
        delta = dL_da * layer.f.derivative(
            xp, way.z
        )  # (N, out)                            BP1, BP2
        gradients.append(
            Gradient(dW=delta.T @ way.a_before, db=delta.sum(0))
        )  # (out, N) @ (N, in); (out,)  BP4, BP3
        if number > 0:  # Nobody asks for the gradient of the images.
            dL_da = (
                delta @ layer.W
            )  # (N, out) @ (out, in) -> (N, in): the output of the layer before
    return gradients[::-1]
