from __future__ import annotations

import pytest

from hivewire.store import (
    DataDirectoryHeld,
    FormatTooNew,
    StoreBroken,
    StoreCorrupt,
    StoreError,
)


@pytest.mark.parametrize("error", [DataDirectoryHeld, FormatTooNew, StoreBroken, StoreCorrupt])
def test_all_are_store_errors(error: type[Exception]) -> None:
    assert issubclass(error, StoreError)
