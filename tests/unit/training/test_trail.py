"""What is recorded of each training step."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from mnist_trainer.runs.trail import Trail, TrailFile, read_trail
from mnist_trainer.training.trail import MAX_PENDING, TrailRecorder, WeightsDigest


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(12, 5))


def digest(model: nn.Module) -> int:
    return int(WeightsDigest()(model))


def recorded(
    path: Path,
    losses: list[float],
    reference: Trail | None = None,
    report: Callable[[str], None] = print,
) -> Trail:
    model = network()
    recorder = TrailRecorder(TrailFile(path), reference, report)
    for step, value in enumerate(losses, start=1):
        recorder.add(step, torch.tensor(value), model)
    recorder.flush(on_disk=True)
    trail = read_trail(path)
    assert trail is not None
    return trail


def test_equal_weights_have_one_digest() -> None:
    model = network()
    assert digest(model) == digest(network())
    assert digest(model) == digest(network().requires_grad_(False))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_last_bit_of_any_weight_changes_the_digest(dtype: torch.dtype) -> None:
    model, one = network().to(dtype), WeightsDigest()
    before, bits = int(one(model)), {2: torch.int16, 4: torch.int32, 8: torch.int64}
    for parameter in model.parameters():
        flat = parameter.data.view(-1).view(bits[parameter.element_size()])
        for index in range(len(flat)):
            flat[index] ^= 1
            assert int(one(model)) != before
            flat[index] ^= 1
    assert int(one(model)) == before == digest(model)


def test_weights_that_get_other_memory_are_seen() -> None:
    model, one = network(), WeightsDigest()
    before = int(one(model))
    for parameter in model.parameters():
        parameter.data = parameter.data + 1
    assert int(one(model)) == digest(model) != before


@pytest.mark.parametrize("size", [7, 8])
def test_weights_with_gaps_in_their_memory_are_seen(size: int) -> None:
    model, one = nn.Module(), WeightsDigest()
    weights = torch.arange(2.0 * size)[::2]
    model.weight = nn.Parameter(weights)
    before = int(one(model))
    weights[size - 1] += 1
    assert int(one(model)) != before


def test_two_weights_that_change_places_change_the_digest() -> None:
    model = network()
    before = digest(model)
    weight = list(model.parameters())[2].data
    weight[0, 0], weight[3, 4] = weight[3, 4].clone(), weight[0, 0].clone()
    assert digest(model) != before


def test_digests_leave_weights_and_random_numbers_alone() -> None:
    model, state = network(), torch.get_rng_state()
    before = [parameter.clone() for parameter in model.parameters()]
    digest(model)
    assert all(map(torch.equal, before, model.parameters()))
    assert torch.equal(state, torch.get_rng_state())


def test_losses_are_kept_exactly(tmp_path: Path) -> None:
    losses = [1 / step for step in range(1, MAX_PENDING + 10)]
    trail = recorded(tmp_path / "trail.bin", losses)
    assert [trail.losses[step] for step in sorted(trail.losses)] == [
        float(torch.tensor(loss)) for loss in losses
    ]
    assert set(trail.digests.values()) == {digest(network())}


def test_the_first_difference_is_reported_once_and_in_hexadecimal(tmp_path: Path) -> None:
    reference = recorded(tmp_path / "a.bin", [0.5, 0.25, 0.125, 0.0625])
    reports: list[str] = []
    recorded(tmp_path / "same.bin", [0.5, 0.25, 0.125, 0.0625], reference, reports.append)
    assert not reports
    recorded(tmp_path / "b.bin", [0.5, 0.375, 0.1, 0.0625], reference, reports.append)
    assert len(reports) == 1
    assert "step 2: 0x1.0000000000000p-2 in the original, 0x1.8000000000000p-2" in reports[0]


def test_other_processes_than_the_main_one_record_nothing() -> None:
    recorder = TrailRecorder(None)
    recorder.add(1, torch.zeros(()), network())
    recorder.flush()
    assert not recorder.losses
