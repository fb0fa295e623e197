"""What every server is put to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BYTES: Final = 100


@dataclass(frozen=True)
class Work:
    """A row of the report."""

    name: str
    title: str
    unit: str
    kind: str
    """idle, connect, echo, fanout or messages: what a peer says it can do."""
    connections: int
    in_flight: int = 1
    warm: float = 1.0
    seconds: float = 2.0

    @property
    def scenario(self) -> str:
        """What the load is told."""
        return self.kind

    @property
    def open_sends(self) -> int:
        """How many messages are unanswered at a time, all connections together."""
        return self.connections * self.in_flight

    def words(self) -> list[str]:
        """For the command line of the swarm and of our own load."""
        words = ["-n", str(self.connections)]
        if self.kind in ("idle", "connect"):
            return words
        words += ["-w", str(self.in_flight), "--bytes", str(BYTES)]
        return [*words, "--warm", str(self.warm), "--seconds", str(self.seconds)]


def works(crowd: int, seconds: float) -> list[Work]:
    """All of them, with `crowd` connections where there are many."""
    window = {"seconds": seconds}
    fan = f"fan-out to {crowd:,}"
    sends = ((2, 1), (8, 1), (64, 1), (1_000, 1), (1_000, 8))
    return [
        Work("idle", f"memory per idle connection, {crowd:,}", "bytes", "idle", crowd),
        Work("connect", f"connect, {crowd:,} in a row", "µs", "connect", crowd),
        Work("fanout", f"{fan}, one message at a time", "µs", "fanout", crowd, **window),
        Work("fanout8", f"{fan}, eight in flight", "µs", "fanout", crowd, 8, **window),
        Work("echo", "echo, 100 connections, one in flight each", "µs", "echo", 100, **window),
        Work("echo8", "echo, 100 connections, eight in flight", "µs", "echo", 100, 8, **window),
        *(
            Work(
                f"messages{count * flight}",
                f"one-to-one, {count * flight:,} open sends",
                "µs",
                "messages",
                count,
                flight,
                # A peer that answers thousands in one burst needs a window of several bursts.
                warm=4.0 if flight > 1 else 1.0,
                seconds=max(seconds, 6.0) if flight > 1 else seconds,
            )
            for count, flight in sends
        ),
    ]
