"""Published keys in memory, by (issuer, `kid`, algorithm): which one checks a token, if any.

The issuer is one of the settings, the algorithm the one of the settings; a token only says which of
these issuers it is from and names a key of theirs. Time is an argument; who fetches is `fetcher`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hivewire.auth.identity import Refused
from hivewire.auth.jwks import KID_CHARACTERS, NO_KID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hivewire.config import Settings
    from hivewire.config.jwks import Jwks, KeySource

LEAST_AGE_S: Final = 30.0
"""However short-lived a source says that its keys are; many say `no-cache` of everything."""


class KeyWanted(Exception):
    """Nobody can say yet: the keys of this source are to be fetched first."""

    def __init__(self, source: Source) -> None:
        super().__init__(source.url)
        self.source = source


class Source:
    """One issuer's keys, and how old they are."""

    __slots__ = ("fetched_at", "issuer", "keys", "max_age", "tried_at", "url")

    def __init__(self, source: KeySource) -> None:
        self.issuer = source.issuer
        self.url = source.url
        self.keys: Mapping[str, Any] = {}
        self.fetched_at: float | None = None
        """When the keys were fetched, in seconds of the clock; None: never."""
        self.tried_at: float | None = None
        """When the last fetch ended, if it brought nothing: the source is down."""
        self.max_age = 0.0
        """For how long the keys count without being fetched anew, in seconds."""


class Keyring:
    """The keys of all sources.

    Args:
        jwks: The section `jwks` of the settings.
        algorithm: The only one.
        clock: Seconds that only go forward.
    """

    def __init__(self, jwks: Jwks, algorithm: str, clock: Callable[[], float]) -> None:
        self.algorithm = algorithm
        self.sources: Sequence[Source] = [Source(source) for source in jwks.sources]
        self._clock = clock
        self._min_age = jwks.min_age / 1000
        self._max_age = jwks.max_age / 1000
        self._stale = jwks.stale / 1000

    def source_of(self, issuer: object) -> Source:
        """The source of an issuer's keys. Raises Refused for an issuer of nobody's."""
        for source in self.sources:
            if source.issuer is None or source.issuer == issuer:
                return source
        raise Refused

    def find(self, source: Source, kid: str | None) -> Any:  # noqa: ANN401 - each algorithm has its own
        """The key that `kid` names, or the only one. Raises Refused for what is no name.

        Raises KeyWanted for a new key, or a made-up one: what was fetched before the token came
        cannot tell. What a fetch after it does not bring is refused by who asks again.
        """
        if kid is not None and not (type(kid) is str and len(kid) <= KID_CHARACTERS):
            raise Refused
        if self.counts(source):
            key = only(source.keys) if kid is None else source.keys.get(kid)
            if key is not None:
                return key
        raise KeyWanted(source)

    def counts(self, source: Source) -> bool:
        """Whether the keys of a source are young enough; stale ones are while it is down."""
        if source.fetched_at is None:
            return False
        age = self._clock() - source.fetched_at
        return age < source.max_age + self._stale

    def wait(self, source: Source) -> float:
        """For how many seconds a source is not to be asked again."""
        last = source.fetched_at if source.tried_at is None else source.tried_at
        return 0.0 if last is None else max(0.0, last + self._min_age - self._clock())

    def put(self, source: Source, keys: Mapping[str, Any], max_age_s: float | None) -> None:
        """These are the keys of a source now; `max_age_s` is what it says of them."""
        wanted = self._max_age if max_age_s is None else max(max_age_s, LEAST_AGE_S)
        source.keys = keys
        source.max_age = min(wanted, self._max_age)
        source.fetched_at, source.tried_at = self._clock(), None

    def missed(self, source: Source) -> None:
        """A fetch brought nothing; what was there stays, as long as it counts."""
        source.tried_at = self._clock()

    def hand_over(self) -> list[tuple[str, Any]]:
        """What is known of each source, by its URL. The clock must be the same later on."""
        return [
            (f"{self.algorithm} {source.url}", (source.keys, source.fetched_at, source.max_age))
            for source in self.sources
            if source.fetched_at is not None
        ]

    def take_over(self, left: Sequence[tuple[str, Any]]) -> None:
        """Know what another keyring knew of the same sources."""
        known = dict(left)
        for source in self.sources:
            found = known.get(f"{self.algorithm} {source.url}")
            if found is not None:
                source.keys, source.fetched_at, source.max_age = found


def keyring_of(settings: Settings, clock: Callable[[], float]) -> Keyring | None:
    """An empty keyring for the sources that the settings name; None where they name none."""
    jwks = settings.jwks
    return Keyring(jwks, settings.auth.algorithm, clock) if jwks.urls else None


def only(keys: Mapping[str, Any]) -> Any | None:  # noqa: ANN401 - each algorithm has its own
    """The key for a token that names none: the one without a name, or the one there is."""
    if NO_KID in keys:
        return keys[NO_KID]
    return next(iter(keys.values())) if len(keys) == 1 else None
