"""Who is there: tokens (JWT), tickets to come back with, and the secrets behind both."""

from __future__ import annotations

from hivewire.auth.identity import Identity, Refused
from hivewire.auth.keyring import Keyring, KeyWanted, keyring_of
from hivewire.auth.revocations import Revocations
from hivewire.auth.secrets import (
    dev_secret,
    dev_settings,
    link_secret,
    read_dev_secret,
    ticket_secret,
    with_secret,
)
from hivewire.auth.tickets import TICKET_SECONDS, Ticket, check_ticket, mint_ticket
from hivewire.auth.tokens import KeyProblem, Verifier, mint_token, weakness

__all__ = [
    "TICKET_SECONDS",
    "Identity",
    "KeyProblem",
    "KeyWanted",
    "Keyring",
    "Refused",
    "Revocations",
    "Ticket",
    "Verifier",
    "check_ticket",
    "dev_secret",
    "dev_settings",
    "keyring_of",
    "link_secret",
    "mint_ticket",
    "mint_token",
    "read_dev_secret",
    "ticket_secret",
    "weakness",
    "with_secret",
]
