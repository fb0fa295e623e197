from __future__ import annotations

from hivewire.delivery import JSON, Caller


def test_a_caller_begins_free_with_nothing_waiting() -> None:
    caller = Caller(7, None, None, JSON, "token")
    assert (caller.conn, caller.user, caller.token) == (7, None, "token")
    assert not (caller.busy or caller.gone or caller.replaced or caller.parked or caller.weight)


def test_no_caller_shares_what_waits() -> None:
    first, second = (Caller(conn, "ann", "phone", JSON, None) for conn in (1, 2))
    first.parked.append("later")
    assert second.parked == []


def test_I10_a_caller_is_small() -> None:
    assert not hasattr(Caller(1, None, None, JSON, None), "__dict__")
