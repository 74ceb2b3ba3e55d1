"""The table of hyper-parameters in TensorBoard's tab HParams.

TensorBoard takes the columns from one run, the first that it finds, and ticks the first five: those
that are marked as different, then by the alphabet. So every run writes the same columns, and marks
what was swept.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.errors import DataError
from mnist_trainer.runs.config_hash import is_unhashed
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.read import flatten, read_json, read_yaml

Value = float | str | None
"""None is an empty cell of a column of numbers."""
OPTIONS = ("lr", "momentum", "weight_decay", "dropout", "label_smoothing")
NAMED_OPTIONS = ("activation", "hidden", "channels")
FINAL_METRICS = ("validation_accuracy", "validation_loss", "test_accuracy", "test_loss")
USUALLY_TICKED = ("model", "optimizer", "lr", "batch_size", "seed")
"""Where nothing was set."""


def flat_hparams(config: RunConfig) -> dict[str, Value]:
    """Hyper-parameters of a run under flat names, the same for every run."""
    trainer = config.trainer
    transforms = (*config.transforms.random, *config.transforms.fixed)
    options = {**config.loss.options, **config.optimizer.options, **config.model.options}
    return {
        "model": config.model.choice,
        "loss": config.loss.choice,
        "optimizer": config.optimizer.choice,
        "scheduler": config.scheduler.choice,
        "transforms": transforms[0].choice if transforms else "none",
        "data": config.data.name,
        "device": config.device.type,
        "precision": config.device.precision,
        "engine": trainer.engine,
        "epochs": trainer.epochs,
        "batch_size": trainer.batch_size * trainer.accumulation,
        "clip_norm": _text(trainer.clip_norm),
        "ema_decay": _text(trainer.ema_decay),
        "seed": config.seed,
        **{name: options.get(name) for name in OPTIONS},
        **{name: str(options.get(name, "none")) for name in NAMED_OPTIONS},
    }


def set_hparams(config: RunConfig, keys: Collection[str]) -> dict[str, Value]:
    """What was set, under the names of ``flat_hparams``, or its own where it has none there.

    Args:
        keys: dotted keys and groups.
    """
    flat, found = flat_hparams(config), dict[str, Value]()
    for key in keys:
        name = key.rpartition(".")[2]
        if name in flat:
            found[name] = flat[name]
        elif not is_unhashed(key):
            found[key] = _text(config.choices.get(key) or flatten(config.plain).get(key))
    return found


def keys_set(folder: RunFolder) -> list[str]:
    """What a sweep varies, or the command line of a single run has set."""
    try:
        return list(read_json(folder.path / "job.json")["settings"])
    except (DataError, KeyError, TypeError):
        pass
    try:
        words = read_yaml(folder.path / ".hydra" / "overrides.yaml")
    except DataError:
        return []
    keys = [str(word).lstrip("+~").partition("=")[0] for word in words or ()]
    return [key for key in keys if not key.startswith("hydra")]


def _text(value: object) -> str:
    return "null" if value is None else str(value)


def hparams_summaries(
    values: Mapping[str, Value], ticked: Sequence[str], metrics: Collection[str]
) -> Iterator[Any]:
    """The three records of a run from which TensorBoard makes the table.

    Args:
        ticked: columns to show at first.
        metrics: tags of scalars.
    """
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    columns, start = [], plugin_data_pb2.SessionStartInfo()
    for name, value in values.items():
        kind = api_pb2.DATA_TYPE_STRING if isinstance(value, str) else api_pb2.DATA_TYPE_FLOAT64
        columns.append(api_pb2.HParamInfo(name=name, type=kind, differs=name in ticked))
        if value is not None:
            field = "string_value" if isinstance(value, str) else "number_value"
            setattr(start.hparams[name], field, value)
    tags = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag)) for tag in metrics]
    contents = {
        metadata.EXPERIMENT_TAG: {
            "experiment": api_pb2.Experiment(hparam_infos=columns, metric_infos=tags)
        },
        metadata.SESSION_START_INFO_TAG: {"session_start_info": start},
        metadata.SESSION_END_INFO_TAG: {
            "session_end_info": plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS)
        },
    }
    for tag, content in contents.items():
        about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(**content))
        yield Summary(value=[Summary.Value(tag=tag, metadata=about, tensor=metadata.NULL_TENSOR)])


def table_of(config: RunConfig, folder: RunFolder, metrics: Collection[str]) -> Iterator[Any]:
    """The records of a run, with what was set ticked first."""
    found = set_hparams(config, keys_set(folder))
    ticked = [*found] or USUALLY_TICKED
    return hparams_summaries({**flat_hparams(config), **found}, ticked, metrics)
