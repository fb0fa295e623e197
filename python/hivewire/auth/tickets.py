"""Tickets: what a client comes back with instead of a token (protocol.md section 8).

A ticket is text that the node signed itself, so coming back costs one HMAC and no look at a token:

    t1:UNTIL:EXPIRES:USER:DEVICE:MAC

UNTIL is when the ticket dies, EXPIRES when the token behind it does (Unix seconds), MAC the first
16 bytes of HMAC-SHA256 in hex. Ids cannot hold a colon. Nothing is stored: a new secret kills them
all.
"""

from __future__ import annotations

import hmac
from typing import Final, NamedTuple

from hivewire.auth.identity import Refused

TICKET_SECONDS: Final = 24 * 3600
_MAC_DIGITS: Final = 32
_MAX_BYTES: Final = 256


class Ticket(NamedTuple):
    """Whom a ticket lets in, and until when (`expires`, Unix seconds: the token's expiry)."""

    user: str
    device: str
    expires: int


def mint_ticket(secret: bytes, user: str, device: str, token_exp: int, now: int) -> str:
    """A ticket good for 24 hours and never beyond `token_exp`; times in Unix seconds."""
    until = min(now + TICKET_SECONDS, token_exp)
    body = f"t1:{until}:{token_exp}:{user}:{device}"
    return f"{body}:{mac(secret, body)}"


def check_ticket(secret: bytes, ticket: str, now: int) -> Ticket:
    """Whom `ticket` lets in. Raises Refused when it is stale, foreign or no ticket at all."""
    body, _, tail = ticket.rpartition(":")
    if len(ticket) > _MAX_BYTES or not ticket.isascii():
        raise Refused
    if not hmac.compare_digest(mac(secret, body), tail):
        raise Refused
    # What carries our MAC was written by `mint_ticket`: its fields are as they should be.
    _, until, expires, user, device = body.split(":")
    if now >= int(until):
        raise Refused
    return Ticket(user, device, int(expires))


def mac(secret: bytes, body: str) -> str:
    """The MAC of a ticket's body, 32 hex digits."""
    return hmac.digest(secret, body.encode("ascii"), "sha256").hex()[:_MAC_DIGITS]
