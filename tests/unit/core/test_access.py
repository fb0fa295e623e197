from __future__ import annotations

from hivewire.auth import Revocations
from hivewire.core import access
from hivewire.core.entries import ForgetEntry, KeysEntry, Rejection, RevokeEntry
from hivewire.core.limits import DEVICES_WITH_KEYS
from hivewire.core.view import View
from hivewire.store.memory import Memory

KEYS = {"identity": "AAAA"}


def written(store: Memory, *entries: RevokeEntry | KeysEntry | ForgetEntry) -> None:
    view = View(store)
    batch = store.batch()
    for entry in entries:
        if isinstance(entry, RevokeEntry):
            access.apply_revoke(entry, store, batch)
        elif isinstance(entry, KeysEntry):
            access.apply_keys(entry, view, batch)
        else:
            access.forget_keys(entry, store, batch)
    store.write(batch)


def read(store: Memory, user: str = "ann") -> list[str]:
    return [row["device"] for row in access.read_keys(store, user, lambda raw: raw)]


def test_revocations_are_read_back_but_those_that_have_expired() -> None:
    store, found = Memory(), Revocations()
    written(store, *(RevokeEntry(f"u{serial}", serial) for serial in range(2_000)))
    access.load_revocations(store, found, before=500)
    assert len(found) == 1_500
    assert (found.since("u499"), found.since("u500"), found.since("u1999")) == (0, 500, 1_999)


def test_what_has_expired_goes_with_the_next_one() -> None:
    store, found = Memory(), Revocations()
    written(store, RevokeEntry("ann", 5), RevokeEntry("bob", 6), RevokeEntry("cat", 9, ("bob",)))
    access.load_revocations(store, found, before=0)
    assert [found.since(user) for user in ("ann", "bob", "cat")] == [5, 0, 9]


def test_keys_are_planned_once() -> None:
    store = Memory()
    entry = access.plan_keys("ann", "phone", KEYS, View(store), 7)
    assert entry == KeysEntry("ann", "phone", KEYS, 7)
    written(store, entry)
    assert access.plan_keys("ann", "phone", KEYS, View(store), 8) is None
    assert access.plan_keys("ann", "phone", {"identity": "BBBB"}, View(store), 8) is not None
    assert access.read_keys(store, "ann", lambda raw: raw) == [
        {"device": "phone", "keys": b'{"identity":"AAAA"}', "ts": 7}
    ]


def test_keys_are_taken_away_once() -> None:
    store = Memory()
    assert access.plan_keys("ann", "phone", {}, View(store), 7) is None
    written(store, KeysEntry("ann", "phone", KEYS, 7), KeysEntry("bob", "phone", KEYS, 7))
    gone = access.plan_keys("ann", "phone", {}, View(store), 8)
    assert gone == KeysEntry("ann", "phone", {}, 8)
    written(store, gone)
    assert (read(store), read(store, "bob")) == ([], ["phone"])


def test_a_forgotten_device_has_no_keys() -> None:
    store = Memory()
    written(store, KeysEntry("ann", "phone", KEYS, 7), KeysEntry("ann", "tab", KEYS, 7))
    written(store, ForgetEntry("ann", "phone"))
    assert read(store) == ["tab"]


def test_i8_so_many_devices_have_keys_and_no_more() -> None:
    store = Memory()
    written(
        store, *(KeysEntry("ann", f"d{serial}", KEYS, 1) for serial in range(DEVICES_WITH_KEYS))
    )
    assert access.plan_keys("ann", "one more", KEYS, View(store), 2) == access.TOO_MANY_DEVICES
    assert access.plan_keys("ann", "d0", {"another": 1}, View(store), 2) is not None
    assert access.plan_keys("bob", "phone", KEYS, View(store), 2) is not None


def test_i8_what_is_on_its_way_to_the_disk_is_counted_too() -> None:
    store = Memory()
    view, batch = View(store), store.batch()
    for serial in range(DEVICES_WITH_KEYS):
        entry = access.plan_keys("ann", f"d{serial}", KEYS, view, 1)
        assert isinstance(entry, KeysEntry)
        access.apply_keys(entry, view, batch)
    assert isinstance(access.plan_keys("ann", "one more", KEYS, view, 2), Rejection)
    access.apply_keys(KeysEntry("ann", "d0", {}, 2), view, batch)
    assert isinstance(access.plan_keys("ann", "one more", KEYS, view, 2), KeysEntry)
