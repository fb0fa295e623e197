from __future__ import annotations

import pytest

from hivewire.handlers.revoke import revoke
from hivewire.store import access, keys
from hivewire.store.verify import verify
from tests.unit.handlers.driver import Driver

from .life import Damage, broken

KEYS = access.keys_value(1, b'{"a":1}')

DAMAGE: dict[str, Damage] = {
    "keys of a device that nobody knows": (
        lambda s: s.columns.devices.put(access.keys_key("ann", "ghost"), KEYS),
        "device",
    ),
    "keys that are no object": (
        lambda s: s.columns.devices.put(access.keys_key("ann", "p"), access.keys_value(1, b"[]")),
        "row",
    ),
    "keys of another version": (
        lambda s: s.columns.devices.put(access.keys_key("ann", "p"), b"\x02" + KEYS[1:]),
        "row",
    ),
    "a row of something else": (
        lambda s: s.columns.devices.put(keys.prefix("ann") + b"hat:p", KEYS),
        "row",
    ),
    "a revocation of another version": (
        lambda s: s.columns.revocations.put(keys.prefix("ann"), b"\x02"),
        "row",
    ),
}


def test_what_a_node_writes_is_right() -> None:
    driver = Driver()
    driver.open("ann", "tab").asks("keys.put", keys={"a": 1})
    assert revoke("bob", (), driver.services)
    driver.journal.commit()
    driver.settle()
    report = verify(driver.store)
    assert report.ok, report.problems
    assert report.counts["revocations"] == 1


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found(damage: str) -> None:
    assert DAMAGE[damage][1] in broken(DAMAGE[damage])
