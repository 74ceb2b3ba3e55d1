"""Device selection, and messages that name what is available."""

import pytest
import torch

from mnist_trainer.compute.device import select_device
from mnist_trainer.errors import ConfigError, ExitCode, MachineError
from tests.conftest import Compose


def test_cpu_computes_in_float32_without_scaling(compose: Compose) -> None:
    device = select_device(compose("device=cpu").device)
    assert (device.type, device.precision) == ("cpu", "fp32")
    assert not device.grad_scaler().is_enabled()
    with device.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_absent_device_is_refused_with_the_available_ones(compose: Compose) -> None:
    with pytest.raises(MachineError, match=r"device=cuda.*This machine has: cpu") as caught:
        select_device(compose("device=cuda").device)
    assert caught.value.exit_code == ExitCode.ENVIRONMENT


@pytest.mark.skipif(
    torch.cuda.is_available() or torch.backends.mps.is_available(), reason="this machine has better"
)
def test_auto_selects_the_cpu_without_accelerator(compose: Compose) -> None:
    assert select_device(compose("device=auto").device).type == "cpu"


def test_threads_are_set(compose: Compose) -> None:
    select_device(compose("device=cpu", "device.threads=1").device)
    assert torch.get_num_threads() == 1


def test_fp16_is_refused_on_the_cpu(compose: Compose) -> None:
    with pytest.raises(ConfigError, match="bf16"):
        select_device(compose("device=cpu", "device.precision=fp16").device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_computes_in_mixed_precision(compose: Compose) -> None:
    device = select_device(compose("device=cuda").device)
    assert device.precision in ("bf16", "fp16")
    assert device.grad_scaler().is_enabled() is (device.precision == "fp16")
    with device.autocast():
        ones = torch.ones(2, 2, device=device.torch_device)
        assert (ones @ ones).dtype in (torch.bfloat16, torch.float16)
