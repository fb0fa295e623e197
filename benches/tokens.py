"""What checking a token and a ticket costs: `.venv/bin/python benches/tokens.py`.

The figures of docs/decisions/0010-hs256-fast-path.md come from here; also whether a second thread
would check more of them in the same time.
"""

from __future__ import annotations

import statistics
import threading
import time
import timeit
from typing import TYPE_CHECKING

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from hivewire.auth import Verifier, check_ticket, mint_ticket, mint_token
from hivewire.config import load

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "0123456789abcdef0123456789abcdef0123"
ROUNDS, CALLS = 7, 5_000
THREAD_CALLS = 1_000


def microseconds(call: Callable[[], object]) -> float:
    """The median time of one call."""
    rounds = timeit.repeat(call, number=CALLS, repeat=ROUNDS)
    return statistics.median(rounds) / CALLS * 1e6


def in_threads(check: Callable[[], object], threads: int) -> tuple[float, float]:
    """Microseconds of time and of CPU a token, when so many threads check tokens at once."""

    def work() -> None:
        for _ in range(THREAD_CALLS):
            check()

    tasks = [threading.Thread(target=work) for _ in range(threads)]
    began, cpu = time.perf_counter(), time.process_time()
    for task in tasks:
        task.start()
    for task in tasks:
        task.join()
    count = THREAD_CALLS * threads / 1e6
    return (time.perf_counter() - began) / count, (time.process_time() - cpu) / count


def off_the_loop() -> None:
    """Print for each algorithm with a public key what one thread takes, and what two take."""
    for algorithm, private in (
        ("RS256", rsa.generate_private_key(65537, 2048)),
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
    ):
        token = jwt.encode({"sub": "user-12345", "exp": 2**33}, private, algorithm=algorithm)
        public = private.public_key()

        def check(token: str = token, public: object = public, algorithm: str = algorithm) -> None:
            jwt.decode(token, public, algorithms=[algorithm])  # type: ignore[arg-type]

        rounds = [(in_threads(check, 1), in_threads(check, 2)) for _ in range(ROUNDS)]
        one, two = (
            [statistics.median(pair[side][kind] for pair in rounds) for kind in (0, 1)]
            for side in (0, 1)
        )
        print(
            f"{algorithm}: one thread {one[0]:.0f} µs a token; two {two[0]:.0f} µs"
            f" ({two[1]:.0f} of CPU)"
        )


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
    off_the_loop()


if __name__ == "__main__":
    main()
