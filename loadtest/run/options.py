"""What `locust -f loadtest/scenarios/…` takes besides Locust's own options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from argparse import Namespace

# Name, type, default, environment variable, help. Limits of the verdict begin with `max` or `min`.
_OPTIONS: Final[list[tuple[str, type, Any, str | None, str]]] = [
    ("connections", int, 0, None, "clients in all; shapes make as many fleets of it as it takes"),
    ("fleet-size", int, 0, None, "clients of a fleet; 0: what the scenario says"),
    ("hold", float, 60.0, None, "seconds that the shapes hold the load for"),
    ("pace", float, 1.0, None, "clients act so many times as often as the scenario says"),
    ("crews", int, 0, None, "processes that hold sockets; 0: one for each 13,000 clients"),
    ("token-algorithm", str, "HS256", None, "algorithm of the tokens that are signed here"),
    ("token-secret", str, "", "HIVEWIRE_AUTH__SECRET", "the node's secret (HS256)"),
    ("token-key", str, "", None, "file with the private key in PEM (RS256, ES256, EdDSA)"),
    ("api", str, "", None, "http://HOST:PORT of the node's HTTP side: its memory and CPU"),
    ("report", str, "", None, "write the verdict to FILE.md and FILE.json"),
    ("settle", float, 60.0, None, "seconds within which everybody must have everything"),
    ("min-answered", int, 1, None, "answered sends; a run that did less shows nothing"),
    ("max-answer-p99", float, 250.0, None, "ms from a send to its answer, while holding"),
    ("max-delivery-p99", float, 250.0, None, "ms from a send to its delivery, while holding"),
    ("max-comeback", float, 30.0, None, "seconds until all that were cut are live again"),
    ("max-node-memory", float, 32.0, None, "KiB of the node's memory a connection"),
    ("max-growth", float, 1.3, None, "node's memory in the last hold, by that in the first"),
    ("max-steady-growth", float, 1.1, None, "the same by that in the middle one, in a soak"),
    ("max-node-cpu", float, 90.0, None, "% of all cores that the node may take while holding"),
    ("max-lag-p99", float, 100.0, None, "ms that a generator's loop may be late, while holding"),
    ("max-crew-cpu", float, 85.0, None, "% of one core that a generator process may take"),
]


def add(parser: Any) -> None:  # noqa: ANN401 - Locust's own parser type is private
    """Add our options to Locust's command line."""
    for name, kind, default, variable, words in _OPTIONS:
        more = {"env_var": variable} if variable else {}
        more |= {"is_secret": True} if variable else {}
        shown = "" if variable else f" (default: {default})" if default else ""
        parser.add_argument(
            f"--{name}", type=kind, default=default, help=(words + shown).replace("%", "%%"), **more
        )


def signing_key(options: Namespace) -> str:
    """The secret, or the private key in PEM, with which tokens are signed."""
    if options.token_key:
        return Path(options.token_key).read_text()
    return options.token_secret
