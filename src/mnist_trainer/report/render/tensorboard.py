"""The groups of a sweep for TensorBoard: mean, low and high of their curves as runs of their own.

They lie beside the folder of the sweep, so that nothing takes them for its runs. A fourth run of
each group holds all three for the margin charts of the tab Custom Scalars, which shade the band
between low and high, but know curves of one run only. TensorBoard's own writer of event files is
used, without torch.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mnist_trainer.errors import ConfigError, MachineError
from mnist_trainer.report.analysis.bands import Band, bands_of
from mnist_trainer.report.analysis.groups import Group
from mnist_trainer.runs.folder import START_MARKS, display_path, safe_name

SUFFIX = "-bands"
PARTS = ("mean", "low", "high")
SHADED = "band"
"""The run for the margin charts, and the beginning of its tags."""
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
        names[group.label] = number = names.get(group.label, 0) + 1
        yield group.label if number == 1 else f"{group.label} {number}", bands


def _remove_earlier(folder: Path) -> None:
    """Remove what an earlier call has written, and nothing else."""
    for part in (*PARTS, SHADED):
        for file in folder.glob(f"*/{part}/{EVENTS}"):
            file.unlink()
        for place in folder.glob(f"*/{part}"):
            if not any(place.iterdir()):
                place.rmdir()
    for place in folder.glob("*"):
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def _write_group(bands: Sequence[Band], folder: Path) -> Path:
    for part in PARTS:
        curves = {band.tag: _curve(band, part) for band in bands}
        _write_run(folder / part, curves)
    drawn = [band for band in bands if band.kind == "epoch"]
    shaded = {shaded_tag(band, part): _curve(band, part) for band in drawn for part in PARTS}
    _write_run(folder / SHADED, shaded, [_layout(drawn)])
    return folder


def shaded_tag(band: Band, part: str) -> str:
    """The tag of a curve of a margin chart."""
    return f"{SHADED}/{band.tag}/{part}"


def _curve(band: Band, part: str) -> list[tuple[int, float]]:
    return [(point.step, getattr(point, part)) for point in band.points]


def _layout(bands: Sequence[Band]) -> Any:
    """The summary that lays out the tab Custom Scalars: a margin chart for each band."""
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING
    from tensorboard.plugins.custom_scalar import layout_pb2, metadata

    charts = []
    for band in bands:
        middle, lower, upper = (shaded_tag(band, part) for part in PARTS)
        series = layout_pb2.MarginChartContent.Series(value=middle, lower=lower, upper=upper)
        content = layout_pb2.MarginChartContent(series=[series])
        charts.append(layout_pb2.Chart(title=band.tag, margin=content))
    category = layout_pb2.Category(title="Mean over seeds with 95 % interval", chart=charts)
    layout = layout_pb2.Layout(category=[category]).SerializeToString()
    plugin = SummaryMetadata.PluginData(plugin_name=metadata.PLUGIN_NAME)
    value = Summary.Value(
        tag=metadata.CONFIG_SUMMARY_TAG,
        metadata=SummaryMetadata(plugin_data=plugin),
        tensor=TensorProto(dtype=DT_STRING, string_val=[layout]),
    )
    return Summary(value=[value])


def _write_run(
    folder: Path, curves: Mapping[str, Sequence[tuple[int, float]]], others: Sequence[Any] = ()
) -> None:
    """Write curves, and summaries without a step, into an event file of a folder."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    now = time.time()
    folder.mkdir(parents=True, exist_ok=True)
    writer = EventFileWriter(str(folder))
    for other in others:
        writer.add_event(Event(wall_time=now, step=0, summary=other))
    for tag, points in curves.items():
        for step, value in points:
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            writer.add_event(Event(wall_time=now, step=step, summary=summary))
    writer.close()
