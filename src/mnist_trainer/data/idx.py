"""The IDX file format, in which MNIST is published (LeCun, Cortes and Burges).

A header of big-endian 32-bit integers (magic number with element type and rank, then the sizes),
then the elements.
"""

import math
import struct

import torch
from torch import Tensor

from mnist_trainer.errors import DataError

UNSIGNED_BYTE = 0x08


def parse_idx(content: bytes | bytearray, source: str) -> Tensor:
    """Parse an IDX file of unsigned bytes into a uint8 tensor of the shape in its header.

    Raises:
        DataError: the header is no IDX header, or disagrees with the length of the file.
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != UNSIGNED_BYTE:
        raise DataError(
            f"{source}: this is no IDX file of bytes; it begins with"
            f" {content[:4].hex() or 'nothing'}."
        )
    rank = content[3]
    offset = 4 + 4 * rank
    if len(content) < offset:
        raise DataError(f"{source}: cut short within its header, after {len(content)} bytes.")
    shape = struct.unpack(f">{rank}I", content[4:offset])
    expected = math.prod(shape)
    if len(content) - offset != expected:
        raise DataError(
            f"{source}: the header promises {'x'.join(map(str, shape))} = {expected:,} bytes,"
            f" {len(content) - offset:,} follow. Remove the file to have it made again."
        )
    # A bytearray is writable, which spares torch a warning and a copy.
    writable = content if isinstance(content, bytearray) else bytearray(content)
    return torch.frombuffer(writable, dtype=torch.uint8, offset=offset).reshape(shape)
