"""Profile some steps of a run with PyTorch's profiler."""

from typing import Any, Self

from mnist_trainer.compute.device import Device
from mnist_trainer.compute.roofline import Peak, StepCost, machine_peak
from mnist_trainer.config.settings import TrackerSettings
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.system.files import atomic_write
from mnist_trainer.training.tracking.terminal import Terminal

SKIPPED = 5
"""Steps before the profile, which include one-time initialization."""
TOP = 10


class Profile:
    """A context around a run that is called after each step; this one profiles nothing."""

    def on_step(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


class StepProfile(Profile):
    """Profiles the steps after the first few; fewer where the run ends sooner."""

    def __init__(
        self,
        folder: RunFolder,
        steps: int,
        device: Device,
        terminal: Terminal,
        cost: StepCost | None,
    ) -> None:
        """Args:
        steps: how many to profile.
        cost: of a step.
        """
        from torch.profiler import ProfilerActivity, profile

        activities = [
            ProfilerActivity.CPU,
            *([ProfilerActivity.CUDA] if device.type == "cuda" else []),
        ]
        self.profiler = profile(activities=activities, acc_events=True)
        self.folder = folder
        self.steps = steps
        self.device = device
        self.terminal = terminal
        self.cost = cost
        self.seen = 0

    def on_step(self) -> None:
        self.seen += 1
        if self.seen == SKIPPED:
            self.device.synchronize()
            self.profiler.start()
        elif self.seen == SKIPPED + self.steps:
            self._write(self.steps)

    def __exit__(self, *_: object) -> None:
        if SKIPPED <= self.seen < SKIPPED + self.steps:
            self._write(self.seen - SKIPPED)

    def _write(self, steps: int) -> None:
        self.device.synchronize()
        self.profiler.stop()
        self.folder.profile.mkdir(exist_ok=True)
        trace = self.folder.profile / "trace.json"
        self.profiler.export_chrome_trace(str(trace))
        table = operator_table(self.profiler.key_averages(), steps, self.device.type)
        if self.cost is not None and (peak := machine_peak(self.device)):
            table += f"\n{roofline_line(self.cost, peak)}"
        with atomic_write(self.folder.profile / "operators.txt") as file:
            file.write(table.encode() + b"\n")
        self.terminal.profiled(table, trace)


def open_profile(
    settings: TrackerSettings,
    folder: RunFolder,
    device: Device,
    terminal: Terminal,
    cost: StepCost | None,
    is_main_process: bool = True,
) -> Profile:
    """The profile that the settings ask for; of several processes that of the main one."""
    if settings.profile_steps is None or not is_main_process:
        return Profile()
    return StepProfile(folder, settings.profile_steps, device, terminal, cost)


def roofline_line(cost: StepCost, peak: Peak) -> str:
    """The time that a step would take at the roofline: what the operators take beyond it is left to
    gain."""
    attainable = peak.attainable_gflops(cost)
    return (
        f"Arithmetic of a step: {1e-6 * cost.flops:,.0f} MFLOP,"
        f" {1e-3 * cost.flops / attainable:,.0f} us at this machine's roofline of"
        f" {attainable:,.0f} GFLOP/s"
    )


def operator_table(events: Any, steps: int, device_type: str) -> str:
    """A table of the operators that take most time, those that they call excluded.

    Args:
        events: ``key_averages()`` of a profiler.
        steps: number of profiled steps.
        device_type: ``cuda`` ranks by time on the device, others by time on the CPU.
    """
    on_device = device_type == "cuda"
    times = {
        event.key: event.self_device_time_total if on_device else event.self_cpu_time_total
        for event in events
    }
    calls = {event.key: event.count for event in events}
    total = sum(times.values()) or 1.0
    kind = "device" if on_device else "CPU"
    lines = [
        f"Mean of {steps} steps, {kind} time of each operator itself,"
        f" {total / steps:,.0f} us in all",
        f"{'operator':<48} {'calls a step':>12} {'us a step':>10} {'share':>7}",
    ]
    for name in sorted(times, key=times.__getitem__, reverse=True)[:TOP]:
        lines.append(
            f"{name[:48]:<48} {calls[name] / steps:>12.1f} {times[name] / steps:>10.1f}"
            f" {times[name] / total:>7.1%}"
        )
    return "\n".join(lines)
