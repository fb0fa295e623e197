"""Whom the node may call because a client said so: hosts of the settings, no address inside."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

HTTPS_PORT = 443


def problem_of(url: str, hosts: Iterable[str], *, private: bool) -> str | None:
    """Why a push service's URL may not be used; None if it may.

    Args:
        url: As the client gave it.
        hosts: Names that may be called; `*.` stands for one or more labels.
        private: Whether plain HTTP and other ports will do, too.
    """
    parts = _split(url)
    if parts is None:
        return "is no URL"
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        return "is not https"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "has more than host, path and query"
    if not private and (parts.port or HTTPS_PORT) != HTTPS_PORT:
        return "has a port of its own"
    if not any(matches(parts.hostname or "", host) for host in hosts):
        return "is not at a push service that this node calls"
    return None


def matches(host: str, pattern: str) -> bool:
    """Whether a host is meant by a name of the settings."""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:].lower()) and len(host) >= len(pattern)
    return host == pattern.lower()


def is_public(address: str) -> bool:
    """Whether an IP address belongs to somebody outside."""
    found = ipaddress.ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_global and not (mapped or found).is_multicast


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return parts if parts.hostname and port != 0 else None
