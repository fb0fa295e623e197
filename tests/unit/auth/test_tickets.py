"""Tickets: bound to user and device, good for a day and never beyond the token."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hivewire.auth import TICKET_SECONDS, Refused, Ticket, check_ticket, mint_ticket

pytestmark = pytest.mark.unit

SECRET = b"k" * 32
NOW = 1_800_000_000
ids = st.text("abcABC019._~@+=/-", min_size=1, max_size=64)


@given(ids, ids, st.integers(1, 10**6))
def test_a_ticket_brings_back_user_device_and_expiry(user: str, device: str, ttl: int) -> None:
    ticket = mint_ticket(SECRET, user, device, NOW + ttl, NOW)
    assert check_ticket(SECRET, ticket, NOW) == Ticket(user, device, NOW + ttl)


def test_it_dies_with_the_token() -> None:
    ticket = mint_ticket(SECRET, "u1", "phone", NOW + 60, NOW)
    check_ticket(SECRET, ticket, NOW + 59)
    with pytest.raises(Refused):
        check_ticket(SECRET, ticket, NOW + 60)


def test_it_dies_after_a_day() -> None:
    ticket = mint_ticket(SECRET, "u1", "phone", NOW + 10 * TICKET_SECONDS, NOW)
    check_ticket(SECRET, ticket, NOW + TICKET_SECONDS - 1)
    with pytest.raises(Refused):
        check_ticket(SECRET, ticket, NOW + TICKET_SECONDS)


def test_another_secret_refuses_it() -> None:
    ticket = mint_ticket(SECRET, "u1", "phone", NOW + 60, NOW)
    with pytest.raises(Refused):
        check_ticket(b"x" * 32, ticket, NOW)


@given(st.integers(0, 10_000), st.characters())
def test_no_change_to_a_ticket_is_accepted(place: int, char: str) -> None:
    ticket = mint_ticket(SECRET, "u1", "phone", NOW + 60, NOW)
    place %= len(ticket)
    changed = ticket[:place] + char + ticket[place + 1 :]
    assume(changed != ticket)
    with pytest.raises(Refused):
        check_ticket(SECRET, changed, NOW)


@given(st.text(max_size=300))
def test_what_is_no_ticket_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        check_ticket(SECRET, text, NOW)


def test_the_longest_ids_fit() -> None:
    ticket = mint_ticket(SECRET, "u" * 64, "d" * 64, NOW + 60, NOW)
    assert check_ticket(SECRET, ticket, NOW).device == "d" * 64
