"""Which runs can train as one stacked model, by their settings.

No torch here: what cannot is refused before anything of a sweep runs.
"""

import json
from collections.abc import Iterator

from mnist_trainer.config.engine_rules import LOSSES
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.errors import ConfigError
from mnist_trainer.runs.read import flatten

LAUNCHER = "hydra/launcher=vectorized"
MAY_DIFFER = (
    *("seed", "optimizer.lr", "optimizer.weight_decay", "optimizer.momentum"),
    *("loss.label_smoothing", "model.dropout"),
)
"""Settings in which the runs of a stack may differ."""
MODELS = tuple(
    f"mnist_trainer.models.{name}"
    for name in ("FCN", "TwoLayer", "Linear", "CNN", "LeNet5", "ConvNet")
)
ADAM = frozenset({"lr", "betas", "eps", "weight_decay", "amsgrad"})
OPTIMIZERS = {
    "torch.optim.SGD": frozenset({"lr", "momentum", "dampening", "weight_decay", "nesterov"}),
    "torch.optim.Adam": ADAM,
    "torch.optim.AdamW": ADAM,
}
"""Target to the options with which its update is computed for a stack."""
AUTO_FP32 = (("auto", "cpu"), ("auto", "auto"))
"""Precision and device that mean fp32, the second wherever there is no GPU."""
SCHEDULERS = "mnist_trainer.schedulers."


def require_stackable(config: RunConfig) -> None:
    """Raises:
    ConfigError: names each setting with which a run cannot be part of a stack.
    """
    if problems := [*part_problems(config), *loop_problems(config)]:
        raise ConfigError(
            f"{LAUNCHER}: these jobs cannot train as one stacked model.\n"
            + "\n".join(problems)
            + f"\nOr train them one after the other: leave out {LAUNCHER}"
        )


def part_problems(config: RunConfig) -> Iterator[str]:
    """A sentence for each part of a run that cannot be stacked."""
    model, loss, optimizer = config.model, config.loss, config.optimizer
    if model.target not in MODELS:
        yield f"model._target_={model.target}: use a model of this package, such as model=fcn"
    if model.options.get("batch_norm"):
        yield (
            "model.batch_norm=true: running statistics are updated in place, outside of what"
            " torch.func transforms. Use model.batch_norm=false"
        )
    if loss.target not in LOSSES or (
        loss.choice == "cross_entropy" and loss.options.keys() > {"label_smoothing"}
    ):
        yield f"loss={loss.choice}: use one of: {', '.join(LOSSES.values())}, with its own options"
    known = OPTIMIZERS.get(optimizer.target)
    if known is None:
        yield (
            f"optimizer={optimizer.choice}: no update of a whole stack was written for it. Use"
            " optimizer=sgd, adam or adamw"
        )
    elif unknown := sorted(optimizer.options.keys() - known):
        yield f"optimizer.{unknown[0]}: use only {', '.join(sorted(known))}"
    if not config.scheduler.target.startswith(SCHEDULERS):
        yield (
            f"scheduler._target_={config.scheduler.target}: use constant, step, cosine or onecycle,"
            " which change the learning rate alone"
        )


def loop_problems(config: RunConfig) -> Iterator[str]:
    """A sentence for each way of training that a stack does not have."""
    trainer, device = config.trainer, config.device
    if trainer.engine != "autograd":
        yield f"trainer.engine={trainer.engine}: use trainer.engine=autograd"
    if trainer.adversary is not None:
        yield (
            f"trainer.adversary.epsilon={trainer.adversary.epsilon}: each run attacks its own"
            " images. Use trainer.adversary.epsilon=null"
        )
    if trainer.film:
        yield "trainer.film=true: a film is of one run. Use trainer.film=false"
    if config.data.loader != "resident":
        yield f"data.loader={config.data.loader}: use data.loader=resident"
    if device.type == "mps":
        yield "device=mps: use device=cpu or device=cuda"
    if device.precision != "fp32" and (device.precision, device.type) not in AUTO_FP32:
        yield (
            f"device.precision={device.precision} on device={device.type} may mean mixed precision,"
            " which torch.func does not compute in. Use device.precision=fp32"
        )
    if device.graph is True:
        yield "device.graph=true: use device.graph=auto, with which a stack has no graph"
    if config.tracker.profile_steps is not None:
        yield (
            f"tracker.profile_steps={config.tracker.profile_steps}: one profile would hold the"
            " steps of all. Use tracker.profile_steps=null"
        )


def stack_key(config: RunConfig) -> str:
    """Equal for runs that can be in one stack: all settings but those that may differ."""
    settings = flatten(config.plain)
    # Without momentum SGD keeps no buffer, so its state is another.
    settings["has momentum"] = bool(settings.get("optimizer.momentum"))
    kept = {key: each for key, each in settings.items() if key not in (*MAY_DIFFER, "name")}
    return json.dumps(kept, sort_keys=True, default=str)
