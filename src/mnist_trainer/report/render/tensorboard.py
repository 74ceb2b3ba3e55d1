"""The groups of a sweep for TensorBoard: mean, low and high of their curves as runs of their own.

They lie beside the folder of the sweep, so that nothing takes them for its runs. TensorBoard's own
writer of event files is used, without torch.
"""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from mnist_trainer.errors import ConfigError, MachineError
from mnist_trainer.report.analysis.bands import Band, bands_of
from mnist_trainer.report.analysis.groups import Group
from mnist_trainer.runs.folder import START_MARKS, display_path, safe_name

SUFFIX = "-bands"
PARTS = ("mean", "low", "high")
EVENTS = "events.out.tfevents.*"


def bands_folder(sweep: Path) -> Path:
    """Where the bands of a sweep lie.

    Raises:
        ConfigError: a run lies there.
    """
    place = sweep.resolve()
    folder = place.with_name(f"{place.name}{SUFFIX}")
    marked = (folder / mark for mark in START_MARKS)
    if folder.is_symlink() or any(os.path.lexists(mark) for mark in marked):
        raise ConfigError(
            f"--tensorboard: {display_path(folder)} is where the bands of this sweep go, and a run"
            " or a link is there. Move it away first."
        )
    return folder


def write_bands(groups: Sequence[Group], folder: Path) -> list[Path]:
    """Write the bands of each group that has two seeds; those of an earlier time are replaced.

    Returns:
        The folders of the groups.

    Raises:
        ConfigError: no group has two seeds.
        MachineError: a file cannot be written.
    """
    found = [(group, bands_of(group)) for group in groups]
    drawn = [(group, bands) for group, bands in found if bands]
    if not drawn:
        raise ConfigError(
            "--tensorboard: a band takes two completed seeds of a recipe, and no group of this"
            " sweep has them. Train more: mnist-train -m ... seed=0,1,2"
        )
    try:
        _remove_earlier(folder)
        return [_write_group(bands, folder / safe_name(label)) for label, bands in _labelled(drawn)]
    except OSError as error:
        raise MachineError(
            f"--tensorboard: {display_path(folder)} cannot be written: {error.strerror or error}."
        ) from error


def _labelled(
    drawn: Sequence[tuple[Group, Sequence[Band]]],
) -> Iterator[tuple[str, Sequence[Band]]]:
    """A name for each group; one that comes twice is told apart by a number."""
    names: dict[str, int] = {}
    for group, bands in drawn:
        label = f"{group.label} ({len(group.completed)} seeds)"
        names[label] = names.get(label, 0) + 1
        yield label if names[label] == 1 else f"{label} {names[label]}", bands


def _remove_earlier(folder: Path) -> None:
    """Remove what an earlier call has written, and nothing else."""
    for part in PARTS:
        for file in folder.glob(f"*/{part}/{EVENTS}"):
            file.unlink()
        for place in folder.glob(f"*/{part}"):
            if not any(place.iterdir()):
                place.rmdir()
    for place in folder.glob("*"):
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def _write_group(bands: Sequence[Band], folder: Path) -> Path:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    now = time.time()
    for part in PARTS:
        (folder / part).mkdir(parents=True, exist_ok=True)
        writer = EventFileWriter(str(folder / part))
        for band in bands:
            for point in band.points:
                value = Summary.Value(tag=band.tag, simple_value=getattr(point, part))
                summary = Summary(value=[value])
                writer.add_event(Event(wall_time=now, step=point.step, summary=summary))
        writer.close()
    return folder
