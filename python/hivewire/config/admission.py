"""Settings of who gets in, and of when nobody does (docs/edge.md)."""

from __future__ import annotations

from hivewire.config.sections import Section, setting
from hivewire.config.units import Memory, Size  # noqa: TC001 - pydantic reads them at run time


class Admission(Section):
    """What newcomers may cost in a second. Shards have equal shares of each rate."""

    connects_per_second: int = setting(
        5_000,
        "Upgrades of the node, sustained; the next ones wait in the listener's queue, or get 503 "
        "with a Retry-After of their own. While others speak it is half of it, so 50,000 who were "
        "cut off at once are back after some 25 s. 0 means no limit.",
        more="A storm of reconnects takes more from those who are connected.",
        less="Coming back after an outage takes longer.",
        ge=0,
        le=1_000_000,
    )
    connects_burst: int = setting(
        2_000,
        "Upgrades at once, before the rate counts.",
        more="The first second of a storm is harder.",
        less="Short spikes wait.",
        ge=1,
        le=10_000_000,
    )
    tls_per_second: int = setting(
        2_000,
        "TLS handshakes, sustained; further ones wait for their turn, inside "
        "`limits.opening_time`. 0 means no limit. One costs 0.2 ms of a core.",
        more="Strangers can take more of the cores.",
        less="Coming back after an outage takes longer.",
        ge=0,
        le=1_000_000,
    )
    tls_burst: int = setting(
        2_000,
        "TLS handshakes at once, before the rate counts.",
        more="The first second of a storm is harder.",
        less="Short spikes wait.",
        ge=1,
        le=10_000_000,
    )
    sync_bytes_per_second: Size = setting(
        "64MiB",
        "Bytes of pages for those who catch up, sustained. While more has gone out, newcomers get "
        "503: each would ask for more of them. 0 means no limit.",
        more="Catching up takes more from those who are connected.",
        less="Coming back after an outage takes longer.",
        le=1 << 31,
    )
    sync_bytes_burst: Size = setting(
        "256MiB",
        "Such bytes at once, before the rate counts.",
        more="The first seconds of a storm are harder.",
        less="Short spikes are turned away.",
        ge=1,
        le=1 << 31,
    )
    address_per_second: int = setting(
        10,
        "Connections from one address (one /64 of IPv6), sustained; the next one gets 429. "
        "Loopback is exempt, so a proxy on this machine must count for itself. 0 means no limit.",
        more="One host can try more often.",
        less="Users behind one address (offices, carriers) wait for each other.",
        ge=0,
        le=1_000_000,
    )
    address_burst: int = setting(
        50,
        "Connections from one address at once, before the rate counts.",
        more="One host can try more often.",
        less="Many users behind one address are turned away after an outage.",
        ge=1,
        le=1_000_000,
    )


class Ceiling(Section):
    """The bound on the node's resident memory."""

    limit: Memory = setting(
        "100%",
        "What all shares refer to: from 75 % of it on newcomers get 503, from 85 % on the slowest "
        "readers are closed (4003), from 92 % on nothing is read until there is room. A size, or a "
        "share of the machine's or the container's memory; 0 means no bound.",
        more="The kernel may end the process before the node helps itself.",
        less="Newcomers are refused while there is room.",
    )
