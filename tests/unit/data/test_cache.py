import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_trainer.data import cache
from mnist_trainer.data.cache import SHA256, raw_folder, read_ahead, read_verified
from tests.conftest import Compose

LABELS = "t10k-labels-idx1-ubyte"


def test_a_damaged_and_a_missing_file_are_none(data_root: Path, tmp_path: Path) -> None:
    whole = read_verified(raw_folder(data_root) / LABELS)
    assert whole is not None
    assert len(whole) == 10_008
    damaged = tmp_path / LABELS
    whole[-1] ^= 1
    damaged.write_bytes(whole)
    assert read_verified(damaged) is None
    damaged.write_bytes(b"")
    assert read_verified(damaged) is None
    assert read_verified(tmp_path / "missing") is None


def test_files_are_read_before_they_are_asked_for(
    data_root: Path, compose: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "torch")
    data = dataclasses.replace(compose().data, root=str(data_root))
    read_ahead(data)
    raw = raw_folder(data_root)
    assert cache._AHEAD.keys() == {raw / name for name in SHA256}
    contents = {name: read_verified(raw / name) for name in SHA256}
    assert not cache._AHEAD
    assert contents == {name: read_verified(raw / name) for name in SHA256}


def test_where_torch_is_imported_there_is_nothing_to_wait_for(compose: Compose) -> None:
    read_ahead(compose().data)
    assert not cache._AHEAD


def test_other_data_are_not_read(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch")
    read_ahead(compose("data=fashion_mnist").data)
    assert not cache._AHEAD


def test_no_torch_is_needed() -> None:
    code = "import sys, mnist_trainer.data.cache; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
