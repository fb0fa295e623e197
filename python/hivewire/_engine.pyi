# The engine. Written by hand, checked against the built module by `make stubs`.

from typing import Any, Final, final

__all__ = [
    "CLOSE",
    "CLOSED",
    "CLOSE_CODES",
    "COMMANDS",
    "CONNECTED",
    "EVENT",
    "EVENTS",
    "HEARTBEAT",
    "JSON",
    "LIMITS",
    "MISSED",
    "MSGPACK",
    "NOTIFY",
    "PAGE",
    "PONG",
    "PUBLISH",
    "PUSH",
    "REFRESH",
    "SEND",
    "SUBSCRIBE",
    "SUBSCRIBE_USER",
    "SYNCING",
    "UNSUBSCRIBE",
    "UNSUBSCRIBE_USER",
    "VOLATILE",
    "WRITABLE",
    "Engine",
    "interpreter_wait",
]

JSON: Final[int]
MSGPACK: Final[int]

# Kinds of items that `Engine.take` returns; see `hivewire.gateway` for what follows each.
COMMANDS: Final[int]  # (kind, conn, user | None, device | None, encoding, [bytes, …], token | None)
CLOSED: Final[int]  # (kind, conn, user | None, device | None, code, encoding)
WRITABLE: Final[int]  # (kind, conn, user | None, device | None)

# Volatile publications were dropped while the outbox was over its soft bound; now it is not. Told
# once for all topics of which something was missed since the last time.
MISSED: Final[int]  # (kind, conn, user, device, [topic, …], encoding)

# Kinds of ops that `Engine.submit` carries out.
SEND: Final[int]  # (kind, conn, payload)
VOLATILE: Final[int]  # (kind, conn, payload): dropped when its outbox is over the soft bound
EVENT: Final[int]  # (kind, user, seq, json, msgpack | None, origin conn, answer | None)
# The same for many users: members is ((user, seq), …). The origin may be any one's, or nobody's:
# then its answer goes out by itself. A member that cannot be read is an error after all others.
EVENTS: Final[int]  # (kind, members, json, msgpack | None, origin conn, answer | None)
PUSH: Final[int]  # (kind, user, json, msgpack | None, volatile)
CONNECTED: Final[int]  # (kind, conn, payload, user, device, position, live, expires_s, *heartbeat)
SYNCING: Final[int]  # (kind, conn, user)
PAGE: Final[int]  # (kind, conn, user, payload, position, live)
HEARTBEAT: Final[int]  # (kind, conn, payload, interval_ms, timeout_ms, from_client)
REFRESH: Final[int]  # (kind, conn, payload, expires_s)
CLOSE: Final[int]  # (kind, conn, code, reason, delay_ms)
SUBSCRIBE: Final[int]  # (kind, conn, topic)
UNSUBSCRIBE: Final[int]  # (kind, conn, topic)
# The same for all connections that a user has at this moment.
SUBSCRIBE_USER: Final[int]  # (kind, user, topic)
UNSUBSCRIBE_USER: Final[int]  # (kind, user, topic)
PUBLISH: Final[int]  # (kind, topic, json, msgpack | None, volatile)
NOTIFY: Final[int]  # (kind, conn): WRITABLE follows when its outbox is under the soft bound
PONG: Final[int]  # (kind, conn, id; 0: none)

CLOSE_CODES: Final[dict[str, int]]
LIMITS: Final[dict[str, int]]

@final
class Engine:
    def __new__(cls, settings: object) -> Engine: ...
    def listen(self) -> tuple[str, int]: ...
    def fileno(self) -> int: ...
    def take(self, limit: int) -> tuple[int, list[tuple[Any, ...]]]: ...
    # The number of this submission.
    def submit(self, ops: list[tuple[Any, ...]]) -> int: ...
    # How far a submission has come for each device of a user: first for sessions that have ended,
    # as far as they are remembered, then for those that are there. Each: (device, way, fate | None,
    # at, ended). Way: event; page (it became live later); behind (it catches up: no fate). Fate:
    # handed (not flushed yet), waiting (in its outbox, since), written, lost (at). Times are those
    # of `time.monotonic_ns`, 0: none, or forgotten.
    def passages(self, user: str, number: int) -> list[tuple[str, str, str | None, int, int]]: ...
    def pause(self) -> None: ...
    def drain(self, spread_ms: int) -> None: ...
    def devices(self, user: str) -> list[str]: ...
    def sessions_of(self, user: str) -> list[tuple[int, str]]: ...  # (conn, device)
    def users(self) -> list[str]: ...
    def sessions(self) -> list[tuple[int, str, str]]: ...
    def connections(self) -> int: ...
    def reload_tls(self, cert: str, key: str) -> None: ...
    def stop(self) -> None: ...
    def stats(self) -> dict[str, int]: ...

# Sleeps without the interpreter lock, then takes it: nanoseconds that this took.
def interpreter_wait(sleep_ms: int) -> int: ...
