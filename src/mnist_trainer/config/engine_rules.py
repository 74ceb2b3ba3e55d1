"""Settings that each engine supports: ``manual`` and ``numpy`` have few models, and fp32 only.

No torch here: an unsupported setting is answered before it is imported.
"""

import dataclasses

from mnist_trainer.config.settings import DeviceSettings, RunConfig

# Engine to its description.
BY_HAND = {
    "manual": "gradients by formulas derived by hand, on tensors",
    "numpy": "gradients by formulas derived by hand, in NumPy, which has threads of its own",
}
# Target to the choice that names it on the command line.
MODELS = {
    "mnist_trainer.models.Linear": "linear",
    "mnist_trainer.models.TwoLayer": "two_layer",
    "mnist_trainer.models.FCN": "fcn",
}
LOSSES = {
    "torch.nn.CrossEntropyLoss": "cross_entropy",
    "mnist_trainer.losses.NLL": "nll",
    "mnist_trainer.losses.MSE": "mse",
    "mnist_trainer.losses.Poly1": "poly",
    "mnist_trainer.losses.PolyN": "poly_n",
    "mnist_trainer.losses.PolySeries": "poly_series",
    "mnist_trainer.losses.Focal": "focal",
}


def engine_problems(config: RunConfig) -> list[str]:
    """A sentence for each setting that the engine does not support."""
    engine, device = config.trainer.engine, config.device
    if engine not in BY_HAND:
        return []
    asked = f"trainer.engine={engine}"
    problems = []
    for part, known in ((config.model, MODELS), (config.loss, LOSSES)):
        if part.target not in known:
            choices = ", ".join(f"{part.group}={choice}" for choice in known.values())
            problems.append(
                f"{asked}: no gradients were derived by hand for {part.group}={part.choice}"
                f" ({part.target}). It can do: {choices}. For any other: trainer.engine=autograd"
            )
    if engine == "numpy" and device.type not in ("auto", "cpu"):
        problems.append(
            f"{asked}: NumPy computes on CPUs only, not on device={device.type}. Use device=cpu or"
            " trainer.engine=manual"
        )
    if device.precision not in ("auto", "fp32"):
        problems.append(
            f"{asked}: device.precision={device.precision} does not go with it, it computes in"
            " fp32. Use device.precision=auto, or trainer.engine=autograd"
        )
    if device.graph is True:
        problems.append(
            f"{asked}: device.graph=true does not go with it. Use device.graph=auto, or"
            " trainer.engine=autograd"
        )
    if config.trainer.adversary is not None:
        problems.append(
            f"{asked}: trainer.adversary.epsilon={config.trainer.adversary.epsilon} does not go"
            " with it, an attack needs the gradient of the images, which was not derived by hand."
            " Use trainer.adversary.epsilon=null, or trainer.engine=autograd"
        )
    return problems


def device_for(engine: str, device: DeviceSettings) -> DeviceSettings:
    """The settings of the device, with ``auto`` resolved as the engine needs it."""
    if engine not in BY_HAND:
        return device
    device = dataclasses.replace(device, precision="fp32", graph=False)
    if engine == "manual":
        return device
    # NumPy's products have threads of their own. With PyTorch's beside them an epoch took 7.7 s on
    # two cores, without 2.9 s.
    return dataclasses.replace(device, type="cpu", threads=device.threads or 1)
