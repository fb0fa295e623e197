from __future__ import annotations

import pytest

from hivewire.handlers.granted import Granted


@pytest.mark.parametrize(("from_client", "who"), [(True, "client"), (False, "server")])
def test_the_client_is_told_who_drives(from_client: bool, who: str) -> None:
    granted = Granted(25_000, 10_000, from_client)
    assert granted.to_dict() == {"interval_ms": 25_000, "timeout_ms": 10_000, "from": who}
