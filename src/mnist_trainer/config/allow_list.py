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
    "mnist_trainer.models.TwoLayer": "mnist_trainer.models.dense.TwoLayer",
}

# A target is one of these modules, a dot, and one name: no deeper path, so no way around through a
# module's own imports.
ALLOWED_MODULES = (
    "mnist_trainer.losses",
    "mnist_trainer.models",
    "mnist_trainer.optimizers",
    "mnist_trainer.schedulers",
    "mnist_trainer.transforms",
    "torch.nn",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "torchvision.transforms.v2",
)

# What Hydra itself instantiates from its own part of the configuration.
HYDRA_TARGETS = frozenset(
    {
        "hydra._internal.core_plugins.basic_launcher.BasicLauncher",
        "hydra._internal.core_plugins.basic_sweeper.BasicSweeper",
        "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher",
        "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher",
        "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher",
        "hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher",
        "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper",
        "optuna.samplers.TPESampler",
        "optuna.samplers.RandomSampler",
        "optuna.samplers.CmaEsSampler",
        "optuna.samplers.NSGAIISampler",
    }
)
# Texts that name a place in the folder of the sweep: whatever they resolve to is a text.
SWEEP_FILES = frozenset(
    {"${hydra.sweep.dir}/.submitit/%j", "sqlite:///${hydra.sweep.dir}/optuna.sqlite"}
)
LOGGING_CLASSES = frozenset(
    {"logging.StreamHandler", "logging.FileHandler", "logging.NullHandler", "logging.Formatter"}
)
LOGGING_STREAMS = frozenset({"ext://sys.stdout", "ext://sys.stderr"})
LOG_FILES = "${hydra.runtime.output_dir}/"
INTERPOLATION = "${"


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
        + f"\nTo use a class of your own package: {TRUST_VARIABLE}=my_package mnist-train ..."
    )


def check_hydra_section(hydra: Mapping[str, object]) -> None:
    """Hold Hydra's own part of the configuration, as it is before interpolation, to the list.

    Hydra instantiates its launcher, sweeper and callbacks, and ``logging`` calls what a logging
    configuration names.

    Raises:
        RefusedError: a target, logging class, stream or file is not on the list, or cannot be seen
            for an interpolation.
    """
    problems = [
        f"{key}={target} is not on the list"
        for key, target in find_targets(hydra, "hydra")
        if target not in HYDRA_TARGETS and not is_trusted(str(target))
    ]
    for section in ("launcher", "sweeper", "callbacks"):
        problems += [
            f"{key}={value} may not be an interpolation"
            for key, value in _texts(hydra.get(section), f"hydra.{section}")
            if INTERPOLATION in value and value not in SWEEP_FILES
        ]
    for section in ("job_logging", "hydra_logging"):
        problems += [
            f"{key}={value} may not appear in a logging configuration"
            for key, value in _logging_hazards(hydra.get(section), f"hydra.{section}")
        ]
    if problems:
        raise refusal(problems)


def _texts(node: object, key: str) -> Iterator[tuple[str, str]]:
    """Each text in a nest of mappings and lists, names of keys included, with its dotted key."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield key, str(name)
            yield from _texts(value, f"{key}.{name}")
    elif isinstance(node, str):
        yield key, node
    elif isinstance(node, Sequence):
        for index, value in enumerate(node):
            yield from _texts(value, f"{key}[{index}]")


def _logging_hazards(node: object, key: str) -> Iterator[tuple[str, object]]:
    """What would make ``logging`` call, import or write to something else than is meant for logs."""
    for where, value in _texts(node, key):
        name = where.rpartition(".")[2]
        if name == "filename":
            # Anywhere else, lines of a log could become lines of a start-up script.
            if (
                not value.startswith(LOG_FILES)
                or ".." in value
                or INTERPOLATION in value.replace("${hydra.", "")
            ):
                yield where, value
        elif name in ("()", "class"):
            if value not in LOGGING_CLASSES:
                yield where, value
        elif INTERPOLATION in value or ("://" in value and value not in LOGGING_STREAMS):
            # logging.config resolves "ext://a.b" by importing a; an interpolation may resolve to
            # that.
            yield where, value
