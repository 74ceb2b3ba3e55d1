"""What the processes that torchrun has started cannot do together."""

from mnist_trainer.compute.ranks import RankInfo
from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.command import ResolvedCommand


def check_ranks(rank_info: RankInfo, command: ResolvedCommand) -> None:
    """Refuse what several processes cannot do together.

    Raises:
        ConfigError: a sweep or a reproduction, or fewer images in an update than processes.
    """
    if rank_info.size == 1:
        return
    if command.originals:
        raise ConfigError(
            f"reproduce=: compares runs of one process, and torchrun has started {rank_info.size}."
            f" Type: mnist-train {' '.join(command.line.overrides)}"
        )
    if command.multirun:
        raise ConfigError(
            f"-m: a sweep under torchrun: its {rank_info.size} processes would each start the whole"
            " sweep.\nSweep without torchrun: mnist-train -m ...; jobs beside each other:"
            " hydra/launcher=joblib"
        )
    trainer = command.config.trainer
    size = trainer.batch_size * trainer.accumulation
    if size < rank_info.size:
        raise ConfigError(
            f"trainer.batch_size={trainer.batch_size}: the {size} images of an update are too few"
            f" for {rank_info.size} processes. It counts the images of all of them together: at"
            f" least {rank_info.size}."
        )
