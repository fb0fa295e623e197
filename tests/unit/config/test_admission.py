"""The rates at which newcomers get in, and the bound on memory."""

from __future__ import annotations

import pytest

from hivewire.config import load
from hivewire.config.admission import Admission, Ceiling
from hivewire.config.units import memory_bytes
from hivewire.gateway import engine_settings

pytestmark = pytest.mark.unit


def test_by_default_fifty_thousand_come_back_within_seconds_and_one_host_does_not_flood() -> None:
    rates = Admission()
    assert rates.connects_burst + 30 * rates.connects_per_second >= 50_000
    assert (rates.address_per_second, rates.address_burst) == (10, 50)


def test_the_bound_on_memory_is_what_there_is() -> None:
    assert Ceiling().limit == memory_bytes()
    assert Ceiling(limit="2GiB").limit == 2 << 30  # type: ignore[arg-type]
    assert Ceiling(limit="0").limit == 0  # type: ignore[arg-type]


def test_the_engine_is_told_all_of_it() -> None:
    given = {"connects_per_second": 1, "connects_burst": 2, "tls_per_second": 3, "tls_burst": 4}
    given |= {"sync_bytes_per_second": "5", "sync_bytes_burst": "6"}
    given |= {"address_per_second": 7, "address_burst": 8}
    engine = engine_settings(load(admission=given, memory={"limit": "1GiB"}), 1)
    assert (engine.upgrades, engine.tls_handshakes) == ((1, 2), (3, 4))
    assert (engine.sync_bytes, engine.address_connects) == ((5, 6), (7, 8))
    assert engine.memory_limit == 1 << 30
