"""Every setting: its default, its reason, and what raising and lowering it costs.

`docs/limits.md` is made from this page (`make docs`). A default is written as a person would write
it in the file; inside the program durations are milliseconds and sizes are bytes.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, SecretStr
from pydantic_settings import NoDecode

from hivewire.config.units import Duration, Memory, Size, parse_duration

HEARTBEAT_MIN: Final = parse_duration("15s")
HEARTBEAT_MAX: Final = parse_duration("5m")


def setting(
    default: object,
    why: str,
    *,
    more: str = "",
    less: str = "",
    **bounds: Any,  # noqa: ANN401 - ge, le, max_length: whatever pydantic's Field knows
) -> Any:  # noqa: ANN401 - as Field itself says, so that the field's own type counts
    """A documented field: `why` it has this default, what `more` and `less` of it cost."""
    notes: dict[str, JsonValue] = {"more": more, "less": less}
    return Field(default, description=why, json_schema_extra=notes, validate_default=True, **bounds)


def split_list(value: object) -> object:
    """`a,b` from the environment → a tuple; lists from the file stay as they are."""
    if isinstance(value, str):
        return tuple(item.strip() for item in value.split(",") if item.strip())
    return value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list)]


class Section(BaseModel):
    """One table of the file. Unknown names are errors; nothing changes after the start."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Node(Section):
    """This node among others."""

    name: str = setting(
        "",
        "What `connected.node` says; empty means the host's name.",
        max_length=64,
    )

    def model_post_init(self, _context: object, /) -> None:
        """Put the host's name where none was given."""
        if not self.name:
            object.__setattr__(self, "name", socket.gethostname()[:64])


class Edge(Section):
    """The WebSocket listener."""

    address: str = setting(
        "127.0.0.1:8000",
        "HOST:PORT of `/v1/ws`; port 0 picks a free one.",
    )
    tls_cert: Path | None = setting(
        None,
        "A PEM file with the certificate and its chain. With it and `tls_key` the listener speaks "
        "TLS 1.2 and 1.3 and nothing else (`wss://`).",
    )
    tls_key: Path | None = setting(None, "A PEM file with the key of `tls_cert`.")
    insecure: bool = setting(
        default=False,
        why="Plain WebSocket on an address other than loopback is refused unless this says that "
        "something in front (a proxy, a private network) protects tokens and messages.",
    )
    deflate: bool = setting(
        default=False,
        why="permessage-deflate without context takeover. Off: chat messages are short, and short "
        "messages gain little.",
        more="CPU for each message, once a payload however many receive it.",
    )
    origins: Names = setting(
        (),
        "Allowed `Origin` headers, comma separated, `*` for any. Empty: only the listener's own "
        "host. Clients that are not browsers send none and are not asked.",
    )
    shards: int = setting(
        0,
        "Engine threads; 0 takes one for each core, and more where `limits.max_connections` does "
        "not fit into their file tables.",
        more="Threads that share cores; useful only for file tables.",
        less="Cores that stay idle.",
        ge=0,
        le=256,
    )

    @property
    def tls(self) -> tuple[str, str] | None:
        """The files of certificate and key, where the listener speaks TLS."""
        if self.tls_cert is None or self.tls_key is None:
            return None
        return str(self.tls_cert), str(self.tls_key)


class Auth(Section):
    """Who a token is believed to be from."""

    algorithm: Literal["HS256", "RS256", "ES256", "EdDSA"] = setting(
        "HS256",
        "The only `alg` that is accepted, whatever a token says of itself.",
    )
    secret: SecretStr | None = setting(
        None,
        "The key of HS256: 32 random bytes or more. `serve --dev` makes one.",
    )
    public_key: str | None = setting(
        None,
        "The key of RS256, ES256, EdDSA: a PEM file's path, or the PEM itself.",
    )
    key_id: str | None = setting(
        None,
        "The `kid` of the key. A token that names any other is refused; unset, one that names any.",
    )
    issuer: str | None = setting(None, "If set, `iss` must be this.")
    audience: str | None = setting(None, "If set, `aud` must be or hold this.")
    leeway: Duration = setting(
        "60s",
        "How far clocks may be apart for `exp`, `nbf` and `iat`.",
        more="Tokens live that much longer than they say.",
        less="Hosts with a clock that is off are refused.",
        le=600_000,
    )
    revocations: int = setting(
        100_000,
        "Users whose older tokens were revoked and may not have expired yet; one more is refused.",
        more="Memory, about 200 bytes each.",
        less="Nobody can be sent away for good while so many are.",
        ge=1,
    )
    revocations_kept: Duration = setting(
        "31d",
        "How long a revocation is remembered: longer than any of your tokens lives.",
        more="Memory and disk, about 200 bytes a user.",
        less="A token that lives longer than this counts again.",
        ge=60_000,
    )
    token_bytes: Size = setting(
        "4KiB",
        "A longer token is refused unread.",
        more="Work that a stranger can cause with one connection.",
        less="RSA tokens with many claims no longer fit.",
        ge=256,
        le=16_384,
    )


class Limits(Section):
    """What one peer, one message or one queue may take."""

    max_connections: int = setting(
        50_000,
        "Connections this node accepts; the next one gets 503 with Retry-After.",
        more="Kernel memory, about 4 KiB each when idle, and file descriptors.",
        less="Users are turned away while the machine could serve them.",
        ge=1,
        le=2_000_000,
    )
    message_bytes: Size = setting(
        "64KiB",
        "One WebSocket message of a client (1009).",
        more="Memory for each half-received message, and longer turns.",
        less="Batches of commands must be split.",
        ge=4096,
    )
    message_fragments: int = setting(
        1024,
        "Frames of one message (1009).",
        more="CPU spent on peers that send many tiny frames.",
        less="Streaming libraries with small buffers are cut off.",
        ge=1,
    )
    message_time: Duration = setting(
        "10s",
        "From the first frame of a message to its last (1009).",
        more="Half messages are held in memory for longer.",
        less="Slow mobile lines are cut off.",
        ge=100,
    )
    inflated_bytes: Size = setting(
        "256KiB",
        "A compressed message, inflated; checked in steps while inflating (1009).",
        more="Memory that a small frame can make the node take.",
        less="Well compressible messages are refused.",
        ge=4096,
    )
    server_message_bytes: Size = setting(
        "512KiB",
        "The longest object the node sends; clients may rely on it.",
        more="Clients need larger buffers.",
        less="Pages hold fewer events.",
        ge=65_536,
    )
    opening_bytes: Size = setting(
        "4KiB",
        "What a client may send before it has connected (4502).",
        more="Memory a stranger may take.",
        less="Long tokens do not fit into `connect`.",
        ge=1024,
    )
    opening_time: Duration = setting(
        "10s",
        "From accept to a valid `connect`; pings do not extend it (4502).",
        more="Strangers hold slots for longer.",
        less="Slow mobile lines never get in.",
        ge=100,
    )
    page_events: int = setting(
        500,
        "Events in one page; a client that asks for more gets this many.",
        more="One page holds up other commands for longer.",
        less="Catching up takes more round trips.",
        ge=1,
    )
    page_bytes: Size = setting(
        "256KiB",
        "A page ends when its events reach this.",
        more="Memory for each open page; must stay below `server_message_bytes`.",
        less="Catching up takes more round trips.",
        ge=65_536,
    )
    sends_in_flight: int = setting(
        32,
        "Unanswered sends of one connection, then `rate_limited`.",
        more="One client fills more of a commit.",
        less="Clients on long lines send more slowly.",
        ge=1,
    )
    sends_per_second: int = setting(
        20,
        "Sends of one connection, sustained; 0 means no limit.",
        more="One client can take more of the node.",
        less="Bots and bulk clients wait.",
        ge=0,
    )
    sends_burst: int = setting(
        60,
        "Sends of one connection at once, before the rate counts.",
        more="Short spikes of load.",
        less="A client that comes back with queued messages waits.",
        ge=1,
    )
    sends_per_second_user: int = setting(
        100,
        "Sends of one user over all devices, sustained; 0 means no limit.",
        more="One user can take more of the node.",
        less="Users with many devices wait.",
        ge=0,
    )
    sends_burst_user: int = setting(
        300,
        "Sends of one user at once, before the rate counts.",
        more="Short spikes of load.",
        less="Devices that come back together wait.",
        ge=1,
    )
    devices: int = setting(
        10,
        "Devices of one user connected at once (4504).",
        more="Each event of the user is sent that many times.",
        less="Users with many browsers are turned away.",
        ge=1,
    )
    group_members: int = setting(
        500,
        "Members of a group; one more turns it into a channel.",
        more="A message writes a row for each, and holds the loop by about 2 µs each.",
        less="Groups turn into channels, without receipts and without a place in timelines.",
        ge=2,
        le=5000,
    )
    watch: int = setting(
        500,
        "Users that one connection may watch.",
        more="About 150 bytes for each of them.",
        less="Clients with long contact lists must choose whom they show.",
        ge=1,
    )
    queries_per_second: int = setting(
        200,
        "Commands of one connection other than sends, changes, acks, pages and pings, sustained; 0 "
        "means no limit.",
        more="One client can take more of the node: an answer may hold 256 KiB.",
        less="Clients that load much when they start wait.",
        ge=0,
    )
    queries_burst: int = setting(
        2_000,
        "Such commands of one connection at once, before the rate counts.",
        more="Short spikes of load.",
        less="A client that comes back after long, and loads page by page, waits.",
        ge=1,
    )
    bad_per_minute: int = setting(
        10,
        "Malformed messages of one connection in a minute, then 4501.",
        more="A broken client costs more before it is cut off.",
        less="A client with a small bug loses its line.",
        ge=1,
    )
    control_per_second: int = setting(
        10,
        "Ping and pong frames of one connection (4013); 0 means no limit.",
        more="CPU a peer can take without sending anything.",
        less="Libraries that ping eagerly are cut off.",
        ge=0,
    )
    outbox_soft: Size = setting(
        "256KiB",
        "Unsent bytes of one connection from which on what is volatile is dropped and its next "
        "command waits.",
        more="Memory for each slow reader.",
        less="Typing and receipts get lost on slow lines.",
        ge=4096,
    )
    outbox_hard: Size = setting(
        "1MiB",
        "Unsent bytes of one connection that close it as a slow reader (4003).",
        more="Memory for each slow reader.",
        less="Slow lines reconnect more often.",
        ge=65_536,
    )
    outbox_total: Memory = setting(
        "25%",
        "All unsent bytes together: a size, or a share of the memory.",
        more="The node may run out of memory when many are slow at once.",
        less="Slow readers are closed earlier when they are many.",
    )
    outbox_stall: Duration = setting(
        "10s",
        "A connection that takes no byte for this long is a slow reader (4003).",
        more="Memory is held for longer by readers that are gone.",
        less="Lines with long gaps reconnect more often.",
        ge=100,
    )
    inbound_bytes: Size = setting(
        "4MiB",
        "Commands that wait for Python, each shard; then it stops reading and TCP pushes back.",
        more="Longer waits inside the node under overload.",
        less="Reading stops on short spikes.",
        ge=65_536,
    )
    batch_messages: int = setting(
        200,
        "Messages handled in one go and written as one batch.",
        more="The write holds the interpreter for longer than a millisecond.",
        less="More batches and more syncs for the same load.",
        ge=1,
        le=1000,
    )
    commit_queue: int = setting(
        10_000,
        "Sends that wait for the disk; further ones are `unavailable`.",
        more="Longer waits and more memory when the disk stalls.",
        less="Sends are refused during short stalls.",
        ge=1,
    )


class Heartbeat(Section):
    """How dead lines are found."""

    interval: Duration = setting(
        "25s",
        "Silence after which the driving side pings. Below the 30 s at which common proxies and "
        "carrier NATs forget a line.",
        more="Dead lines are found later; NATs may drop idle ones.",
        less="Traffic and battery.",
        ge=100,
        le=HEARTBEAT_MAX,
    )
    timeout: Duration = setting(
        "10s",
        "How long each of two pings may stay unanswered (4004).",
        more="Dead lines are found later.",
        less="Lines with long gaps are given up.",
        ge=100,
        le=60_000,
    )


class Drain(Section):
    """How the node goes down on SIGTERM."""

    spread: Duration = setting(
        "5s",
        "The clients' slots to come back (`bye.delay_ms`) lie in this window.",
        more="Some users are away for longer.",
        less="The next node is stormed.",
        le=300_000,
    )
    time: Duration = setting(
        "10s",
        "How long open commits and closing handshakes may take before the node exits.",
        more="Slower deployments when a client hangs.",
        less="Slow lines miss their `bye`.",
        le=300_000,
    )


class Log(Section):
    """What goes to standard error."""

    level: Literal["debug", "info", "warning", "error"] = setting(
        "info",
        "The least that is written. Tokens and messages never are.",
    )
    format: Literal["auto", "console", "json"] = setting(
        "auto",
        "`auto` is console on a terminal and JSON elsewhere.",
    )
    connections: bool = setting(
        default=False,
        why="Whether a line is written when a connection begins and when it ends. At level `debug` "
        "they are there in any case, and one for all that becomes of each message.",
        more="Two lines a connection: a reconnect of 100,000 clients writes 50 MB.",
    )
