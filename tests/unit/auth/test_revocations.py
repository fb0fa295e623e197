from __future__ import annotations

from hivewire.auth import Identity, Revocations


def test_what_is_older_is_refused_and_nobody_else() -> None:
    revocations = Revocations()
    revocations.note("ann", 5_000)
    assert revocations.refuses(Identity("ann", None, 9, 4_999))
    assert revocations.refuses(Identity("ann", None, 9))
    assert not revocations.refuses(Identity("ann", None, 9, 5_000))
    assert not revocations.refuses(Identity("bob", None, 9))


def test_it_never_goes_back() -> None:
    revocations = Revocations()
    revocations.note("ann", 5_000)
    revocations.note("ann", 4_000)
    assert revocations.since("ann") == 5_000


def test_what_has_expired_is_found_and_forgotten() -> None:
    revocations = Revocations()
    for serial in range(5):
        revocations.note(f"u{serial}", 1_000 + serial)
    assert revocations.older_than(1_003, 2) == ["u0", "u1"]
    revocations.forget("u0")
    revocations.forget("nobody")
    assert (len(revocations), revocations.since("u0")) == (4, 0)
    assert revocations.older_than(1_003, 9) == ["u1", "u2"]
