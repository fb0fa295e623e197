"""Settings of the HTTP listener (docs/http.md)."""

from __future__ import annotations

from pydantic import SecretStr  # noqa: TC002 - pydantic reads it at run time

from hivewire.config.sections import Names, Section, setting
from hivewire.config.units import Duration, Size  # noqa: TC001 - pydantic reads it at run time


class Api(Section):
    """The HTTP listener: calls of users and servers, health and metrics."""

    address: str = setting("127.0.0.1:8001", "HOST:PORT of the HTTP side; port 0 picks a free one.")
    insecure: bool = setting(
        default=False,
        why="Plain HTTP on an address other than loopback is refused unless this allows it.",
    )
    key: SecretStr | None = setting(
        None,
        "What servers send as `X-API-Key`. Without one every server call is refused; none is ever "
        "generated.",
    )
    origins: Names = setting(
        (),
        "Web pages of which origins may call (CORS), comma separated, `*` for any. Empty: none but "
        "those of the listener itself.",
    )
    edge_url: str = setting(
        "",
        "What `discover` answers where a proxy stands in front, as `wss://chat.example.com/v1/ws`. "
        "Empty: the edge listener's own address, under the host name that the client used if the "
        "edge listens on all.",
        max_length=512,
    )
    body_bytes: Size = setting(
        "1MiB",
        "The longest request body, looked at before it is read (413).",
        more="Memory that one request may take; larger `encodedMedia`.",
        less="`encodedMedia` fits less; uploads have a limit of their own.",
        ge=65_536,
    )
    body_time: Duration = setting(
        "10s",
        "How long a request's head may take, else the connection is cut, and then its body (408).",
        more="Half requests and silent connections are held for longer.",
        less="Slow mobile lines are cut off.",
        ge=100,
    )
    connections: int = setting(
        10_000,
        "Connections of the HTTP side; the next one gets 503.",
        more="Memory, about 20 KiB for each that polls, and file descriptors.",
        less="Long polls leave less room for calls.",
        ge=1,
    )
    polls: int = setting(
        5_000,
        "Long polls that wait at once; further ones get 503 with Retry-After.",
        more="A connection, a task and about 20 KiB each: who can should use a WebSocket.",
        less="Users without a WebSocket are turned away.",
        ge=1,
    )
    poll_time: Duration = setting(
        "30s",
        "The longest `wait` of a long poll; more is clamped.",
        more="Proxies cut the request before it is answered.",
        less="More requests for the same silence.",
        ge=100,
        le=300_000,
    )
