"""Collectives in a real process group of one process, on every available device."""

import socket

import pytest
import torch
from torch import Tensor, nn

from mnist_trainer.compute.device import select_device
from mnist_trainer.compute.process_group import ProcessGroup
from mnist_trainer.compute.ranks import RankInfo
from mnist_trainer.errors import AlreadyReportedError, ConfigError, DivergedError
from mnist_trainer.runs.metrics import Metrics
from mnist_trainer.training.data_parallel import AllReduce
from tests.conftest import Compose

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    ),
]


@pytest.mark.parametrize("kind", DEVICES)
def test_collectives_of_one_process_are_the_identity(
    kind: str, compose: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name, value in {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "RANK": "0",
        "WORLD_SIZE": "1",
    }.items():
        monkeypatch.setenv(name, value)
    device = select_device(compose(f"device={kind}").device).torch_device
    group = ProcessGroup(RankInfo(0, 1, 0, 1), device)
    try:
        assert group.describe()["backend"] == ("nccl" if kind == "cuda" else "gloo")
        assert group.broadcast_from_main(lambda: "a folder with spaces") == "a folder with spaces"

        def failing() -> str:
            raise ConfigError("no")

        with pytest.raises(ConfigError, match="no"):
            group.broadcast_from_main(failing)
        assert group.reduce_metrics(Metrics(0.25, 3, 8)) == Metrics(0.25, 3, 8)
        model = nn.Conv2d(1, 2, 3).to(device).to(memory_format=torch.channels_last)
        before = model.weight.detach().clone()
        group.broadcast_model(model)
        assert torch.equal(model.weight, before)
        loss: Tensor = model(torch.ones(2, 1, 4, 4, device=device)).sum()
        loss.backward()
        assert model.weight.grad is not None
        gradient = model.weight.grad.clone()
        group.interruption()
        exchange = AllReduce(group, model)
        mean, correct = exchange(loss.detach(), torch.tensor(1, device=device), 1.0)
        assert torch.equal(model.weight.grad, gradient)
        assert model.weight.grad.stride() == model.weight.stride()
        assert float(mean) == pytest.approx(loss.item())
        assert int(correct) == 1
        group.barrier()
        cleared: list[bool] = []
        group.clear_on_main(lambda: cleared.append(True))
        assert cleared == [True]
        error = DivergedError("at step 3")
        assert group.deduplicate_error(error) is error
        again = group.deduplicate_error(error)
        assert isinstance(again, AlreadyReportedError)
        assert again.exit_code == error.exit_code
    finally:
        group.shutdown()
