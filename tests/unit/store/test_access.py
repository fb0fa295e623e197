from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.store import access
from hivewire.store.keys import RowError

names = st.text("azAZ09._~@+=/-", min_size=1, max_size=64)
times = st.integers(0, 2**53 - 1)


@given(names, times)
def test_a_revocation_comes_back(user: str, since: int) -> None:
    row = access.revoked_key(user), access.revoked_value(since)
    assert access.parse_revoked(*row) == (user, since)


@given(names, names, times, st.binary(min_size=2))
def test_keys_come_back(user: str, device: str, ts: int, keys: bytes) -> None:
    key = access.keys_key(user, device)
    assert access.device_of(key) == device
    assert access.parse_keys(access.keys_value(ts, keys)) == (ts, keys)
    start, end = access.keys_range(user)
    assert start < key < end


@given(names, names, names)
def test_nobody_elses_keys_are_in_the_range(user: str, other: str, device: str) -> None:
    start, end = access.keys_range(user)
    assert (user == other) == (start <= access.keys_key(other, device) < end)


@pytest.mark.parametrize("value", [b"", b"\x01", b"\x02" + b"\0" * 8, b"\x01" + b"\0" * 9])
def test_another_version_or_length_is_an_error(value: bytes) -> None:
    with pytest.raises(RowError):
        access.parse_revoked(access.revoked_key("ann"), value)


@pytest.mark.parametrize("value", [b"", b"\x01" + b"\0" * 8, b"\x02" + b"\0" * 8 + b"{}"])
def test_the_same_of_keys(value: bytes) -> None:
    with pytest.raises(RowError):
        access.parse_keys(value)


def test_a_key_with_something_behind_the_user_is_an_error() -> None:
    with pytest.raises(RowError):
        access.parse_revoked(access.revoked_key("ann") + b"x", access.revoked_value(1))
