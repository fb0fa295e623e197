from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.store import keys, pushes

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.unit
names = st.text("azAZ09._~@+=/-", min_size=1, max_size=64)
positions = st.integers(0, 2**53 - 1)


@given(names, names, positions)
def test_keys_tell_what_they_are_and_stand_in_order(user: str, device: str, seq: int) -> None:
    conv = f"direct:{user},{device}"
    rows = {
        "held": pushes.held_key(user, seq),
        "push": pushes.push_key(user, seq, device),
        "dead": pushes.dead_key(user, seq, device),
        "shown": pushes.shown_key(user, conv, device),
    }
    assert list(rows.values()) == sorted(rows.values())
    for kind, key in rows.items():
        place = pushes.split_outbox_key(key)
        assert (place.kind, place.user) == (kind, user)
        assert place.device == ("" if kind == "held" else device)
        assert place.seq == (0 if kind == "shown" else seq)
        assert place.conv == (conv if kind == "shown" else "")
        assert (key < pushes.waiting_end(user)) == (kind in ("held", "push"))
        assert keys.prefix(user) <= key < keys.range_end(keys.prefix(user))


@given(names, st.tuples(positions, positions, positions), st.integers(0, 0xFFFF))
def test_values_come_back(user: str, places: tuple[int, int, int], small: int) -> None:
    (n, ts, due), conv = places, f"direct:{user},{user}"
    held = pushes.held_value(ts, keys.prefix(conv) + keys.position(n))
    assert pushes.parse_held(held) == (ts, conv, n)
    push = pushes.Push(pushes.CLEAR, small, due, ts, conv, n)
    assert pushes.parse_push(pushes.push_value(push)) == push
    shown = pushes.Shown(n, due, ts)
    assert pushes.parse_shown(pushes.shown_value(shown)) == shown
    dead = pushes.Dead(pushes.MESSAGE, small, ts, conv, n, due, "é")
    assert pushes.parse_dead(pushes.dead_value(dead)) == dead
    registration = pushes.Registration("webhook", "mobile", ts, token=user)
    assert pushes.parse_registration(pushes.registration_value(registration)) == registration


def test_failures_are_counted_as_far_as_they_fit() -> None:
    push = pushes.Push(pushes.MESSAGE, 70_000, 1, 1, "direct:a,b", 1)
    assert pushes.parse_push(pushes.push_value(push)).attempts == 0xFFFF


@given(names)
def test_the_registrations_of_a_user_are_one_range(user: str) -> None:
    start, end = pushes.registered_range(user)
    assert start < pushes.registration_key(user, "~") < end
    assert not start <= keys.prefix(user) + b"push" < end


@pytest.mark.parametrize("value", [b"", b"\x09" + bytes(40), b"\x01"])
@pytest.mark.parametrize(
    "parse",
    [
        *(pushes.parse_held, pushes.parse_push, pushes.parse_shown, pushes.parse_dead),
        pushes.parse_registration,
    ],
)
def test_a_value_of_another_version_is_refused(
    parse: Callable[[bytes], object], value: bytes
) -> None:
    with pytest.raises((keys.RowError, msgspec.DecodeError)):
        parse(value)


@pytest.mark.parametrize("suffix", [b"", b"\x00", b"\x01" + bytes(7), b"other"])
def test_a_key_that_is_none_is_refused(suffix: bytes) -> None:
    with pytest.raises(keys.RowError):
        pushes.split_outbox_key(keys.prefix("ann") + suffix)
