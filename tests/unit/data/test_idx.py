"""The IDX format: round trips, and refusal of anything else."""

import struct

import pytest
import torch

from mnist_trainer.data.idx import parse_idx
from mnist_trainer.errors import DataError


def idx(*shape: int, content: bytes) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + content


def test_array_is_read_in_row_order() -> None:
    array = parse_idx(idx(2, 3, content=bytes(range(6))), "x")
    assert array.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert array.dtype == torch.uint8


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        b"\0\0\x08\x01\0\0",
        b"GIF89a" + bytes(20),
        b"\0\0\x0d\x01" + struct.pack(">I", 1) + bytes(4),  # floats
        idx(3, content=bytes(2)),
        idx(3, content=bytes(4)),
        idx(2**31, 2**31, content=bytes(4)),
    ],
)
def test_invalid_file_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(DataError, match="some-file"):
        parse_idx(content, "some-file")
