"""The ceiling on memory: who reads slowly pays for it, and everybody else goes on (R7, I8)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from tests.e2e.rfc6455 import Line, Refused, request
from tests.e2e.stranger import Stranger, key
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

SLOW = 12
TEXT = "x" * 16_000
ROUNDS = 60
AT_ONCE = 20
ROOM = 100 << 20
"""What the node may take on top of what it has when it is ready."""
OUTBOX = {
    "HIVEWIRE_LIMITS__OUTBOX_SOFT": "64MiB",
    "HIVEWIRE_LIMITS__OUTBOX_HARD": "64MiB",
    "HIVEWIRE_LIMITS__OUTBOX_TOTAL": "4GiB",
    "HIVEWIRE_LIMITS__OUTBOX_STALL": "60s",
}
"""No other bound than the ceiling holds the readers back."""


async def slow_reader(node: Node, user: str) -> Stranger:
    """Somebody who connects, and then reads nothing."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    raw.connect(node.edge)
    raw.setblocking(False)
    line = Line(*await asyncio.open_connection(sock=raw, limit=16_384))
    line.writer.write(request()[0])
    assert (await line.http_response())[0] == 101
    stranger = Stranger(line, "json")
    await stranger.connect(token=token(user), device="phone")
    line.writer.transport.pause_reading()  # type: ignore[attr-defined]
    return stranger


@pytest.mark.timeout(120)
async def test_i8_slow_readers_are_closed_before_the_memory_is_gone(
    start_node: Callable[..., Node], name: Callable[[str], str]
) -> None:
    """Each of the many takes little more than its fair share, and all of them too much."""
    idle = start_node(name="idle").resident_bytes()
    node = start_node(name="bounded", env=OUTBOX | {"HIVEWIRE_MEMORY__LIMIT": str(idle + ROOM)})
    slow_users = [name(f"slow{number}") for number in range(SLOW)]
    author = await Stranger.join(node, name("author"))
    healthy = await Stranger.join(node, name("healthy"))
    slow = [await slow_reader(node, user) for user in slow_users]
    most = 0
    for _ in range(ROUNDS):
        await asyncio.gather(*(_fill(author, user) for user in slow_users))
        await author.send(f"user:{healthy.user}", "meanwhile", key())
        most = max(most, node.resident_bytes())
        if await figure(node, "memory_closed_total"):
            break
    else:
        raise AssertionError("nobody was closed")
    assert most < idle + ROOM
    await author.send(f"user:{healthy.user}", "after it", key())
    await healthy.until(lambda: any(p.get("text") == "after it" for p in healthy.pushes), 30)
    numbers = [push["seq"] for push in healthy.pushes if push["op"] == "event"]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    for reader in slow:
        reader.line.abort()


async def _fill(author: Stranger, user: str) -> None:
    for _ in range(AT_ONCE):
        await author.send(f"user:{user}", TEXT, key())


async def test_i8_without_room_newcomers_come_back_later(
    start_node: Callable[..., Node], name: Callable[[str], str]
) -> None:
    idle = start_node(name="idle").resident_bytes()
    node = start_node(name="full", env={"HIVEWIRE_MEMORY__LIMIT": str(idle * 100 // 86)})
    with pytest.raises(Refused) as refused:
        await Line.open(node.edge, headers=PROTOCOL)
    assert refused.value.status == 503
    assert 1 <= int(refused.value.headers["retry-after"]) <= 10
    assert await figure(node, "refused_memory_total") == 1
    # Whoever spreads newcomers over nodes sends them elsewhere.
    status, words = await asked(node, "/health/ready")
    assert (status, "memory" in words) == (503, True)


async def test_too_many_from_one_address_are_429(start_node: Callable[..., Node]) -> None:
    """Loopback is exempt, so this needs another address of this machine."""
    own = own_address()
    if own is None:
        pytest.skip("this machine has no address but loopback")
    env = {
        "HIVEWIRE_EDGE__ADDRESS": f"{own}:0",
        "HIVEWIRE_EDGE__INSECURE": "true",
        "HIVEWIRE_ADMISSION__ADDRESS_BURST": "3",
        "HIVEWIRE_ADMISSION__ADDRESS_PER_SECOND": "1",
    }
    node = start_node(env=env, flags=["--edge", f"{own}:0"])
    inside = [await Line.open(node.edge, headers=PROTOCOL) for _ in range(3)]
    with pytest.raises(Refused) as refused:
        await Line.open(node.edge, headers=PROTOCOL)
    for line in inside:
        line.abort()
    assert refused.value.status == 429
    assert 1 <= int(refused.value.headers["retry-after"]) <= 10


PROTOCOL = [("Sec-WebSocket-Protocol", "hivewire.v1.json")]


def own_address() -> str | None:
    """An address of this machine that is not loopback; no packet is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))
        address = str(probe.getsockname()[0])
        return None if address.startswith("127.") else address
    return None


async def figure(node: Node, name: str) -> int:
    """One of the node's figures."""
    _, text = await asked(node, "/metrics")
    (line,) = [row for row in text.splitlines() if row.startswith(f"hivewire_{name} ")]
    return int(float(line.split()[1]))


async def asked(node: Node, path: str) -> tuple[int, str]:
    """Status and text of an answer of the api."""
    reader, writer = await asyncio.open_connection(*node.api)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n".encode())
    text = (await reader.read()).decode()
    writer.close()
    return int(text.split()[1]), text
