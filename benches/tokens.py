"""What checking a token and a ticket costs: `.venv/bin/python benches/tokens.py`.

The figures of docs/decisions/0010-hs256-fast-path.md come from here.
"""

from __future__ import annotations

import statistics
import time
import timeit
from typing import TYPE_CHECKING

import jwt

from hivewire.auth import Verifier, check_ticket, mint_ticket, mint_token
from hivewire.config import load

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "0123456789abcdef0123456789abcdef0123"
ROUNDS, CALLS = 7, 5_000


def microseconds(call: Callable[[], object]) -> float:
    """The median time of one call."""
    rounds = timeit.repeat(call, number=CALLS, repeat=ROUNDS)
    return statistics.median(rounds) / CALLS * 1e6


def main() -> None:
    """Print a line for each way."""
    auth = load(auth={"secret": SECRET}).auth
    verifier, now = Verifier(auth), int(time.time())
    token = mint_token(auth, "user-12345")
    # The same claims under a header that the fast path leaves to PyJWT.
    unusual = jwt.encode(
        {"sub": "user-12345", "iat": now, "exp": now + 3600}, SECRET, headers={"x": 1}
    )
    ticket = mint_ticket(SECRET.encode(), "user-12345", "phone", now + 3600, now)
    for name, call in (
        ("jwt.decode", lambda: jwt.decode(token, SECRET, algorithms=["HS256"])),
        ("verify, left to PyJWT", lambda: verifier.verify(unusual, now)),
        ("verify, fast path", lambda: verifier.verify(token, now)),
        ("mint_ticket", lambda: mint_ticket(SECRET.encode(), "user-1", "phone", now + 60, now)),
        ("check_ticket", lambda: check_ticket(SECRET.encode(), ticket, now)),
    ):
        print(f"{name:22} {microseconds(call):6.2f} µs")


if __name__ == "__main__":
    main()
