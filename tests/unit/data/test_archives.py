"""Archives that somebody has brought by hand."""

import gzip
import hashlib
from pathlib import Path

import pytest

from mnist_trainer.data.archives import Archive, ArchiveMember, provide
from mnist_trainer.errors import DataError

CONTENT = b"the published content"
PUBLISHED = gzip.compress(CONTENT, mtime=1)
ANEW = gzip.compress(CONTENT, mtime=2)


def archive(content: bytes | None = CONTENT) -> Archive:
    sha256 = None if content is None else hashlib.sha256(content).hexdigest()
    member = ArchiveMember(file="labels", sha256=sha256)
    md5 = hashlib.md5(PUBLISHED, usedforsecurity=False).hexdigest()
    return Archive(url="http://127.0.0.1:9/labels.gz", md5=md5, members=(member,))


@pytest.mark.parametrize("packed", [PUBLISHED, ANEW], ids=["published", "packed anew"])
@pytest.mark.parametrize("by_mirror", [False, True])
def test_a_file_of_the_same_content_is_taken(
    packed: bytes, by_mirror: bool, tmp_path: Path
) -> None:
    place = tmp_path / ("brought" if by_mirror else "raw")
    place.mkdir()
    (place / "labels.gz").write_bytes(packed)
    mirror = str(place) if by_mirror else None
    provide((archive(),), tmp_path / "raw", download=False, mirror=mirror)
    assert (tmp_path / "raw" / "labels").read_bytes() == CONTENT
    assert (place / "labels.gz").read_bytes() == packed


@pytest.mark.parametrize("download", [True, False])
@pytest.mark.parametrize("known", [CONTENT, None], ids=["known content", "unknown content"])
def test_a_file_of_other_content_is_named_with_both_hashes(
    download: bool, known: bytes | None, tmp_path: Path
) -> None:
    other = gzip.compress(b"something else")
    (tmp_path / "labels.gz").write_bytes(other)
    with pytest.raises(DataError) as refused:
        provide((archive(known),), tmp_path, download=download, mirror=None)
    said = str(refused.value)
    for part in (str(tmp_path / "labels.gz"), hashlib.md5(other).hexdigest(), archive().md5):  # noqa: S324
        assert part in said
    assert not (tmp_path / "labels").exists()
