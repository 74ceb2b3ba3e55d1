"""The classes that a configuration may name as ``_target_``: an exact list.

A ``_target_`` is admitted by its spelling before anything is imported; ``build`` then checks what
the name leads to.
"""

import os
from collections.abc import Iterator, Mapping, Sequence

from mnist_trainer.errors import RefusedError

TRUST_VARIABLE = "MNIST_TRAINER_TRUST"

# Names that stand in configurations, run folders and checkpoints, and where the code is.
# A hash of a configuration and the comparison on resume see the names on the left, so they stay as
# they are.
PUBLIC_MODULES = {
    "mnist_trainer.losses": "mnist_trainer.models.losses",
    "mnist_trainer.optimizers": "mnist_trainer.training.optim.optimizers",
    "mnist_trainer.schedulers": "mnist_trainer.training.optim.schedulers",
    "mnist_trainer.transforms": "mnist_trainer.data.transforms",
}
PUBLIC_CLASSES = {
    "mnist_trainer.models.CNN": "mnist_trainer.models.convolutional.CNN",
    "mnist_trainer.models.LeNet5": "mnist_trainer.models.convolutional.LeNet5",
    "mnist_trainer.models.ConvNet": "mnist_trainer.models.convnet.ConvNet",
    "mnist_trainer.models.FCN": "mnist_trainer.models.dense.FCN",
    "mnist_trainer.models.Linear": "mnist_trainer.models.dense.Linear",
    "mnist_trainer.trackers.MLflow": "mnist_trainer.training.tracking.mlflow_client.MLflow",
    "mnist_trainer.trackers.WandB": "mnist_trainer.training.tracking.wandb_client.WandB",
    "mnist_trainer.models.TwoLayer": "mnist_trainer.models.dense.TwoLayer",
    "mnist_trainer.transforms.RandomCorruption": (
        "mnist_trainer.data.corruptions.transform.RandomCorruption"
    ),
    "mnist_trainer.transforms.RandomFocus": "mnist_trainer.data.degradations.RandomFocus",
    "mnist_trainer.transforms.RandomLines": "mnist_trainer.data.degradations.RandomLines",
    "mnist_trainer.transforms.RandomPaper": "mnist_trainer.data.degradations.RandomPaper",
    "mnist_trainer.transforms.RandomStrokes": "mnist_trainer.data.degradations.RandomStrokes",
}

# A target is one of these modules, a dot, and one name: no deeper path, so no way around through a
# module's own imports.
ALLOWED_MODULES = (
    "mnist_trainer.losses",
    "mnist_trainer.models",
    "mnist_trainer.optimizers",
    "mnist_trainer.schedulers",
    "mnist_trainer.trackers",
    "mnist_trainer.transforms",
    "torch.nn",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "torchvision.transforms.v2",
)


def trusted_packages() -> tuple[str, ...]:
    """Packages that the user admits through the environment; a configuration cannot add to them."""
    return tuple(
        name for name in os.environ.get(TRUST_VARIABLE, "").replace(" ", "").split(",") if name
    )


def is_trusted(dotted: str) -> bool:
    return any(
        dotted == package or dotted.startswith(f"{package}.") for package in trusted_packages()
    )


def is_allowed(target: object) -> bool:
    """Whether a configuration may name this target."""
    if not isinstance(target, str):
        return False
    module, _, name = target.rpartition(".")
    return (module in ALLOWED_MODULES and name.isidentifier()) or is_trusted(target)


def code_path(target: str) -> str:
    """Dotted path of the class behind a target: public names of this package lead to the module
    that holds the class."""
    module, _, name = target.rpartition(".")
    return PUBLIC_CLASSES.get(target) or f"{PUBLIC_MODULES.get(module, module)}.{name}"


def find_targets(node: object, key: str) -> Iterator[tuple[str, object]]:
    """Each ``_target_`` in a nest of mappings and lists, with its dotted key."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            if name == "_target_":
                yield f"{key}._target_", value
            else:
                yield from find_targets(value, f"{key}.{name}")
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for index, value in enumerate(node):
            yield from find_targets(value, f"{key}[{index}]")


def refused_targets(node: object, key: str) -> list[str]:
    """A sentence for each target in the node that may not run."""
    return [
        f"{where}={target} is not on the list"
        for where, target in find_targets(node, key)
        if not is_allowed(target)
    ]


def refusal(problems: list[str]) -> RefusedError:
    """The error for targets that may not run, with the way to admit one's own."""
    return RefusedError(
        "\n".join(problems)
        + f"\nA target is a class of: {', '.join(ALLOWED_MODULES)}."
        + f"\nTo use a class of your own package, in this folder: PYTHONPATH=."
        f" {TRUST_VARIABLE}=my_package mnist-train ..."
    )
