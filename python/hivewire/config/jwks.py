"""Settings of published keys (docs/security.md): where they are, how long they count."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from hivewire.config.addresses import is_loopback
from hivewire.config.sections import Names, Section, setting
from hivewire.config.units import Duration  # noqa: TC001 - pydantic reads it at run time


class KeySource(NamedTuple):
    """Where an issuer publishes its keys."""

    issuer: str | None
    """The `iss` of its tokens; None: any, or `auth.issuer`."""
    url: str


class Jwks(Section):
    """Keys that an issuer publishes (RFC 7517), instead of `auth.public_key`."""

    urls: Names = setting(
        (),
        "Where keys are published, comma separated: a URL, or `ISSUER=URL` where there is more "
        "than one issuer. Nothing else is ever asked, whatever a token says.",
    )
    ca: str | None = setting(
        None,
        "A PEM file with the authorities that vouch for those hosts, if they are not public ones.",
    )
    max_age: Duration = setting(
        "10m",
        "Keys are fetched anew after this, or earlier if `Cache-Control` says so.",
        more="A key that the issuer took back counts for longer.",
        less="Load on the issuer.",
        ge=1000,
    )
    min_age: Duration = setting(
        "3s",
        "A token with an unknown key has the keys fetched, but not more often than this; it waits.",
        more="Tokens of a key that was never published in advance wait for longer.",
        less="Load that strangers with made-up tokens can put on the issuer.",
        ge=100,
        le=60_000,
    )
    stale: Duration = setting(
        "24h",
        "How long keys still count while their source cannot be reached.",
        more="A key that was taken back meanwhile counts for longer.",
        less="Nobody new comes in while the issuer is down.",
        ge=1000,
    )
    timeout: Duration = setting(
        "4s",
        "How long a fetch may take. With `min_age` it should be less than `limits.opening_time`.",
        more="Clients wait for longer when the issuer hangs.",
        less="Slow issuers fail.",
        ge=100,
        le=60_000,
    )

    @property
    def sources(self) -> tuple[KeySource, ...]:
        """`urls`, taken apart."""
        return tuple(map(parse_source, self.urls))


def parse_source(text: str) -> KeySource:
    """`URL` or `ISSUER=URL`; an issuer is often a URL itself."""
    issuer, found, rest = text.partition("=http")
    return KeySource(issuer, f"http{rest}") if found else KeySource(None, text)


def problems_of(jwks: Jwks, algorithm: str, public_key: str | None) -> list[str]:
    """What is wrong with the section beside the others, a line each."""
    if not jwks.urls:
        return []
    problems = [problem for source in jwks.sources if (problem := _problem_of(source)) is not None]
    issuers = [source.issuer for source in jwks.sources]
    if len(set(issuers)) < len(issuers) or (None in issuers and len(issuers) > 1):
        problems.append("jwks.urls: with more than one, each needs an issuer of its own")
    if algorithm == "HS256":
        problems.append("jwks.urls: HS256 has no public keys; set auth.algorithm")
    if public_key is not None:
        problems.append("jwks.urls: not together with auth.public_key")
    return problems


def _problem_of(source: KeySource) -> str | None:
    try:
        parts = urlsplit(source.url)
        host = parts.hostname
    except ValueError:
        host = None
        parts = urlsplit("")
    if host is None or parts.scheme not in ("http", "https") or parts.username is not None:
        return f"jwks.urls: {source.url} is no URL of a host"
    if parts.scheme == "http" and not is_loopback(host):
        return f"jwks.urls: {source.url}: keys that came over plain HTTP are anybody's"
    return None
