"""The operating system's accounts, from texts worked out by hand."""

import subprocess
import sys
import time

import pytest

from mnist_trainer.compute.passport.accounting import (
    Accounts,
    read_accounts,
    read_stat,
    read_throttling,
    read_waiting,
    ticks_per_second,
)
from mnist_trainer.compute.passport.identity import cgroup_folders


def test_busy_and_stolen_seconds_of_proc_stat() -> None:
    ticks = ticks_per_second()
    busy, stolen = read_stat("cpu  100 20 30 4000 500 6 7 80 9 9\ncpu0 1 2 3\n")
    assert busy == pytest.approx((100 + 20 + 30 + 6 + 7) / ticks)
    assert stolen == pytest.approx(80 / ticks)


@pytest.mark.parametrize("text", ["", "cpu", "cpu a b c d e f g h", "intr 1 2 3 4 5 6 7 8"])
def test_what_is_no_proc_stat_is_unknown(text: str) -> None:
    assert read_stat(text) == (None, None)


def test_throttling_of_both_versions_of_control_groups() -> None:
    second = "usage_usec 5\nnr_periods 10\nnr_throttled 3\nthrottled_usec 1500000\n"
    first = "nr_periods 10\nnr_throttled 2\nthrottled_time 500000000\n"
    assert read_throttling([second]) == (1.5, 3)
    assert read_throttling([first]) == (0.5, 2)
    assert read_throttling([first, second]) == (1.5, 3)
    assert read_throttling(["", "usage_usec 5\n"]) == (None, None)


def test_seconds_on_a_run_queue() -> None:
    assert read_waiting("1000 2500000000 7\n") == 2.5
    assert read_waiting("") is None


def test_difference_of_accounts_keeps_what_is_unknown() -> None:
    early = Accounts(1.0, 2.0, 1.0, None, 10.0, 0.5, None, None)
    late = Accounts(4.0, 3.5, 2.0, 1.0, 14.0, 0.75, 1.0, 2)
    assert late - early == Accounts(3.0, 1.5, 1.0, None, 4.0, 0.25, None, None)
    assert (late - early).others == 2.5


@pytest.mark.skipif(read_accounts().busy is None, reason="this system keeps no /proc/stat")
def test_a_busy_neighbour_is_in_the_accounts() -> None:
    code = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    before = read_accounts()
    with subprocess.Popen([sys.executable, "-c", code]) as neighbour:
        while neighbour.poll() is None:
            time.sleep(0.05)
            running = read_accounts() - before
    # Not waited for while it ran, so it was one of the others; ticks may be a few late.
    assert running.others is not None
    assert running.others > 0.3


def test_every_control_group_has_its_accounts() -> None:
    assert all((folder / "cpu.stat").is_file() for folder in cgroup_folders())
