"""What is remembered of a user, and how he looks to one who watches him."""

from __future__ import annotations

import pytest

from hivewire.presence.person import INVISIBLE, OFFLINE, ONLINE, Change, Gone, Person, Watcher


def test_a_user_who_never_did_anything_is_nothing_to_remember() -> None:
    assert Person("ann").is_idle


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("armed", True),
        ("dirty", True),
        ("hidden_ms", 0),
        ("lingering", (Gone("tv", ONLINE, 5),)),
        ("statuses", {"tv": "away"}),
        ("watchers", {Watcher(1, "bob", 0)}),
    ],
)
def test_each_thing_about_him_keeps_him(name: str, value: object) -> None:
    ann = Person("ann")
    setattr(ann, name, value)
    assert not ann.is_idle


def test_a_device_hides_him_while_it_is_there_and_until_it_counts_no_more() -> None:
    ann = Person("ann")
    assert not ann.is_hiding()
    ann.statuses = {"tv": INVISIBLE, "phone": "away"}
    assert ann.is_hiding()
    ann.statuses = None
    ann.lingering = (Gone("tv", INVISIBLE, 5), Gone("phone", ONLINE, 5))
    assert ann.is_hiding()
    ann.came_back("tv")
    assert (ann.is_hiding(), ann.lingering) == (False, (Gone("phone", ONLINE, 5),))


def test_who_is_blocked_sees_what_anybody_sees_of_a_stranger() -> None:
    ann, bob = Person("ann"), Watcher(1, "bob", 0)
    ann.shown = Change("ann", OFFLINE, last_seen=7)
    assert bob.sees(ann) == ann.shown
    bob.blocked_by = frozenset({ann})
    assert bob.sees(ann) == Change("ann", OFFLINE)
