"""Ranks from torchrun's variables, shards, and errors before processes are connected."""

import signal
import subprocess
import sys
import time

import pytest
import torch

from mnist_trainer.compute import world as distributed
from mnist_trainer.compute.device import select_device
from mnist_trainer.compute.distributed import init_distributed
from mnist_trainer.compute.ranks import SINGLE_PROCESS, RankInfo, find_rank_info, shard_of
from mnist_trainer.compute.world import SINGLE_WORLD, report_on_local_main
from mnist_trainer.errors import ConfigError, MachineError
from tests.conftest import Compose

BY_TORCHRUN = {"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}


def test_rank_is_read_from_torchruns_variables() -> None:
    assert find_rank_info(BY_TORCHRUN) == RankInfo(rank=3, size=4, local_rank=1, local_size=2)


@pytest.mark.parametrize(
    "environment", [{}, {"WORLD_SIZE": "1"}, {"WORLD_SIZE": "1", "RANK": "0"}, {"RANK": "5"}]
)
def test_without_world_size_a_process_is_single(
    environment: dict[str, str], compose: Compose
) -> None:
    assert find_rank_info(environment) == SINGLE_PROCESS
    assert (
        init_distributed(SINGLE_PROCESS, select_device(compose("device=cpu").device).torch_device)
        is SINGLE_WORLD
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"RANK": ""},
        {"RANK": "-1"},
        {"WORLD_SIZE": "many"},
        {"LOCAL_RANK": "x"},
        {"RANK": "4"},
        {"LOCAL_RANK": "2"},
    ],
)
def test_inconsistent_rank_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="torchrun"):
        find_rank_info({**BY_TORCHRUN, **wrong})


@pytest.mark.parametrize("size", range(1, 9))
@pytest.mark.parametrize("count", [0, 1, 2, 7, 8, 64, 10_000])
def test_shards_are_a_partition_of_nearly_equal_sizes(size: int, count: int) -> None:
    parts = [
        range(count)[shard_of(count, RankInfo(rank, size, rank, size))] for rank in range(size)
    ]
    assert [each for part in parts for each in part] == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_only_the_local_main_process_reports_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(distributed, "wait_for_termination", waited.append)
    with (
        pytest.raises(MachineError, match="no such device"),
        report_on_local_main(RankInfo(2, 4, 0, 2)),
    ):
        raise MachineError("no such device")
    assert not waited
    with (
        pytest.raises(MachineError, match="no such device"),
        report_on_local_main(RankInfo(3, 4, 1, 2)),
    ):
        raise MachineError("no such device")
    assert waited == [distributed.REPORT_SECONDS]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_a_waiting_process_at_once(
    number: signal.Signals,
) -> None:
    waiting = """
import signal
from mnist_trainer.compute.world import wait_for_termination
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: print("still here"))
print("waits", flush=True)
wait_for_termination(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", waiting], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        time.sleep(0.2)
        process.send_signal(number)
        assert process.wait(10) == -number
        assert process.stdout.read() == ""


def test_fewer_gpus_than_processes_are_refused_with_advice(
    compose: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(MachineError, match=r"4 processes .* it has 2\.\n.*--nproc-per-node 2"):
        select_device(compose("device=cuda").device, RankInfo(1, 4, 1, 4))


def test_unsupported_distributed_settings_are_refused(
    compose: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = RankInfo(0, 2, 0, 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(ConfigError, match="device=mps"):
        select_device(compose("device=mps").device, place)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(ConfigError, match=r"device\.graph=true"):
        select_device(compose("device=cuda", "device.graph=true").device, place)
