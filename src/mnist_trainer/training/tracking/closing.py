"""The results of a run in words, as they are shown at its end."""

from pathlib import Path
from shlex import quote

from mnist_trainer.runs.metrics import Metrics, wilson_interval
from mnist_trainer.runs.result import Result, Throughput


def percent(metrics: Metrics | None) -> str:
    return f"{100 * metrics.accuracy:.2f} %" if metrics else "-"


def interval(metrics: Metrics) -> str:
    """Accuracy with its 95 % interval."""
    low, high = wilson_interval(metrics.correct, metrics.count)
    return (
        f"{100 * metrics.accuracy:.2f} % (95 % interval {100 * low:.2f} to {100 * high:.2f},"
        f" {metrics.count:,} images)"
    )


def closing_lines(result: Result, folder: str) -> list[tuple[str, str]]:
    """Results of a run, and the commands to go on with."""
    seconds, epochs = result.timing.seconds, result.epochs + max(1, result.epochs // 2)
    rows = [
        ("test", interval(result.test)),
        ("test loss", f"{result.test.loss:.4f}"),
        (
            "time",
            f"{seconds.total:.1f} s: setup {seconds.setup:.1f}, training {seconds.train:.1f},"
            f" evaluation {seconds.eval:.1f}",
        ),
        ("speed", speed(result.timing.throughput)),
        ("run folder", folder),
        ("train on", f"mnist-train resume={quote(folder)} trainer.epochs={epochs}"),
    ]
    if result.validation:
        validation = f"{interval(result.validation)}, epoch {result.tested_epoch}"
        rows.insert(0, ("validation", validation))
    if protocol := protocol_note(result):
        rows.insert(1, ("protocol", protocol))
    if any(Path(folder).glob("events.out.tfevents.*")):
        rows.insert(-1, ("curves", f"tensorboard --logdir {quote(folder)}"))
    return rows


def speed(throughput: Throughput) -> str:
    """Images and arithmetic per second, and the share of what this machine could do."""
    parts = [f"{throughput.images_per_second:,.0f} images/s"]
    if throughput.gflops is not None:
        parts.append(f"{throughput.gflops:,.1f} GFLOP/s")
    if (share := throughput.share_of_roofline) is not None:
        attainable = f"{throughput.attainable_gflops:,.0f} GFLOP/s"
        parts.append(f"{100 * share:.0f} % of the roofline of this machine ({attainable})")
    return ", ".join(parts)


def protocol_note(result: Result) -> str:
    """What the test accuracy is not: of images seen once, or of one view; empty where it is."""
    parts = []
    if result.validation is None:
        parts.append("no images held out: the test images were scored after each epoch")
    if result.session.views > 1:
        parts.append(f"{result.session.views} shifted views of each test image averaged")
    return "; ".join(parts)
