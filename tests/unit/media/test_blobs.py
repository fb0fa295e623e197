from __future__ import annotations

import pytest

from hivewire.media.blobs import THUMBNAIL, BlobsBroken, Missing, folder_of
from hivewire.store import keys

pytestmark = pytest.mark.unit


def test_a_file_and_its_thumbnail_lie_in_the_partition_of_its_row() -> None:
    media = "0f" * 32
    assert folder_of(media) == folder_of(media + THUMBNAIL)
    assert int(folder_of(media), 16) == keys.media_key(media)[0]


def test_who_starts_a_node_hears_of_it_as_of_any_broken_disk() -> None:
    assert issubclass(BlobsBroken, OSError)
    assert issubclass(Missing, BlobsBroken)
