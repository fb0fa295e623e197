"""What the clients of a fleet do by themselves, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

TURNS_AT_ONCE: Final = 64
"""After a stall, a chore makes up for so many turns at most: a late generator must not burst."""
_MARK: Final = "_every_seconds"


class Lively(Protocol):
    """Whose turn may come: a client of the fleet."""

    @property
    def live(self) -> bool:
        """Whether it is connected and has caught up."""
        ...


Client = TypeVar("Client", bound=Lively)


def every(seconds: float) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a method of a fleet: each client gets its turn every `seconds` on average.

    The method takes the client. A plain function must not wait; a coroutine gets its own task.
    Only clients that are live get turns.
    """

    def mark(method: Callable[..., Any]) -> Callable[..., Any]:
        setattr(method, _MARK, seconds)
        return method

    return mark


class Chores(Generic[Client]):
    """All chores of one fleet; `due` says whose turn it is."""

    def __init__(self, fleet: object, rng: random.Random, pace: float = 1.0) -> None:
        self._rng = rng
        self._owed: dict[Callable[[Client], Any], float] = {}
        self._seconds: dict[Callable[[Client], Any], float] = {}
        for name in dir(type(fleet)):
            seconds = getattr(getattr(type(fleet), name), _MARK, None)
            if seconds is not None:
                method = getattr(fleet, name)
                # A random part of a turn: fleets that start together must not act together.
                self._owed[method], self._seconds[method] = rng.random(), seconds / pace

    def due(
        self, clients: Sequence[Client], elapsed: float
    ) -> Iterator[tuple[Callable[[Client], Any], Client]]:
        """Whose turn came in the last `elapsed` seconds: method and client, in random order."""
        for method, seconds in self._seconds.items():
            owed = self._owed[method] + elapsed * len(clients) / seconds
            turns = min(int(owed), TURNS_AT_ONCE)
            self._owed[method] = owed - int(owed)
            for client in self._rng.choices(clients, k=turns):
                if client.live:
                    yield method, client
