"""Ids of users, devices, groups and conversations, and keys: which are well-formed."""

from __future__ import annotations

import re
from typing import NamedTuple

_CHARACTERS = r"[A-Za-z0-9._~@+=/\-]"

is_name = re.compile(_CHARACTERS + r"{1,64}").fullmatch
"""Whether a string is a well-formed user, device or group id (truthy or None)."""
is_key = re.compile(_CHARACTERS + r"{8,64}").fullmatch
"""Whether a string is a well-formed key (truthy or None)."""

_control = re.compile(r"[\x00-\x1f\x7f-\x9f]").search


def is_printable(text: str) -> bool:
    """Whether a title or an emoji has no control characters."""
    return _control(text) is None


class Target(NamedTuple):
    """A conversation that a command names."""

    conv: str
    members: tuple[str, ...]
    """Of a direct conversation, in byte order, one if it is with oneself; else empty."""


def direct(user: str, other: str) -> Target:
    """The direct conversation of two users, who may be the same one."""
    if user == other:
        return Target(f"direct:{user},{user}", (user,))
    # The characters of ids are ASCII, so the order of strings is the order of bytes.
    first, second = (user, other) if user < other else (other, user)
    return Target(f"direct:{first},{second}", (first, second))


def parse_target(to: str, user: str) -> Target | None:
    """The conversation that `to` means when `user` says it; None if it is not well-formed.

    Whether the user belongs to it, or whether it exists, is another question.
    """
    kind, _, name = to.partition(":")
    if kind == "user":
        return direct(user, name) if is_name(name) else None
    if kind == "direct":
        return parse_direct(to)
    if kind in ("group", "channel"):
        return Target(to, ()) if is_name(name) else None
    return None


def parse_direct(conv: str) -> Target | None:
    """The direct conversation of that id; None if its names are malformed or out of order."""
    kind, _, names = conv.partition(":")
    first, _, second = names.partition(",")
    if kind != "direct" or not is_name(first) or not is_name(second) or first > second:
        return None
    return direct(first, second)


def is_target(conv: str) -> bool:
    """Whether a string is a well-formed conversation id."""
    kind, _, name = conv.partition(":")
    if kind in ("group", "channel"):
        return is_name(name) is not None
    return parse_direct(conv) is not None
