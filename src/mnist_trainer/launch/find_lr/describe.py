"""A learning-rate test as plain values: the content of its JSON file, of its figure and table."""

import math
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from mnist_trainer.compute.device import Device
from mnist_trainer.config.find_lr import FindLrSettings
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.runs.config_hash import config_hash
from mnist_trainer.system.version import __version__
from mnist_trainer.training.lr_range_test.named_rates import NamedRate, RatePoint
from mnist_trainer.training.lr_range_test.search import Cost, RangeTest
from mnist_trainer.training.lr_range_test.short_runs import ShortRun

FORMAT = 1


def describe(
    test: RangeTest, settings: FindLrSettings, config: RunConfig, device: Device, cost: Cost
) -> dict[str, Any]:
    """All numbers of a test; a loss that is not finite is null."""
    return {
        "format": FORMAT,
        "version": __version__,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": config.seed,
        "config_sha256": config_hash(config.plain),
        "choices": dict(config.choices),
        "configured_rate": config.optimizer.options.get("lr"),
        "scheduler": {"configured": config.scheduler.choice, "used": "constant"},
        "judged_on": "training batches that were not seen before",
        "device": {"type": device.type, "name": device.name, "precision": device.precision},
        "settings": asdict(settings),
        "seeds": settings.seeds,
        "num_judged": settings.num_judged,
        "cost": asdict(cost),
        "start_loss": test.start_loss,
        "recommended": test.named.recommended.value,
        "named": {
            name: _named(getattr(test.named, name))
            for name in ("steepest", "recommended", "fastest", "largest_stable")
        },
        "largest_stable_is_highest_tried": _is_highest(test),
        "points": [_point(point) for point in test.points],
        "first_pass": [_run(run) for run in test.first_pass],
        "runs": [_run(run) for run in test.runs],
    }


def _is_highest(test: RangeTest) -> bool:
    """Whether higher rates than the largest stable one were not tried, and may be stable."""
    largest = test.named.largest_stable
    return largest is not None and largest.value == test.points[-1].rate


def _named(rate: NamedRate | None) -> dict[str, float] | None:
    return None if rate is None else asdict(rate)


def _point(point: RatePoint) -> dict[str, Any]:
    return {
        "rate": point.rate,
        "mean": finite(point.mean),
        "deviation": point.deviation,
        "low": finite(min(point.losses)),
        "high": finite(max(point.losses)),
        "losses": [finite(loss) for loss in point.losses],
        "diverged": point.num_diverged,
        "stable": sum(point.is_stable),
    }


def _run(run: ShortRun) -> dict[str, Any]:
    return {
        "rate": run.rate,
        "seed": run.seed,
        "diverged": run.diverged,
        "losses": list(run.losses),
    }


def finite(value: float) -> float | None:
    """The number; None where it is not finite."""
    return value if math.isfinite(value) else None
