"""What TLS costs on the edge beside a plain line, as a table: `python benches/tls.py`.

Bare engines with and without a certificate, each a process with one shard. Memory is
what the process has more of for each idle connection; CPU is what its threads have used, and rounds
of both take turns, so that the machine's moods meet both.
"""

from __future__ import annotations

import os
import signal
import socket
import ssl
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.certificates import Pair, issue
from tests.e2e.rfc6455 import TEXT, encode, request

from hivewire.gateway import Engine, EngineSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTIONS = 2_000
ROUNDS = 5
ECHOES = 2_000
HANDSHAKES = 300
SIZE = 200
KINDS = ("plain", "TLS 1.2", "TLS 1.3")


class Server(NamedTuple):
    """An engine in a process of its own."""

    pid: int
    port: int

    def cpu_ns(self) -> int:
        """CPU time of all its threads."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def private_bytes(self) -> int:
        """Memory that is its own."""
        rows = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        (row,) = [row for row in rows if row.startswith("Anonymous:")]
        return int(row.split()[1]) * 1024


@contextmanager
def served(pair: Pair | None) -> Iterator[Server]:
    """An echo server, with TLS where there is a certificate."""
    tell, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        settings = EngineSettings(
            address="127.0.0.1:0",
            shards=1,
            tls=None if pair is None else (str(pair.cert), str(pair.key)),
            path="/",
            subprotocols=False,
            echo=True,
            control_per_second=0,
        )
        engine = Engine(settings)
        os.write(told, b"%d" % engine.listen()[1])
        signal.pause()
    try:
        yield Server(pid, int(os.read(tell, 16)))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def context_for(kind: str, pair: Pair) -> ssl.SSLContext | None:
    """What a client of this kind speaks."""
    if kind == "plain":
        return None
    context = pair.trusted()
    version = ssl.TLSVersion.TLSv1_2 if kind == "TLS 1.2" else ssl.TLSVersion.TLSv1_3
    context.minimum_version = context.maximum_version = version
    return context


def connect(server: Server, context: ssl.SSLContext | None) -> socket.socket:
    """An upgraded line."""
    line = socket.create_connection(("127.0.0.1", server.port))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context is not None:
        line = context.wrap_socket(line, server_hostname="localhost")
    line.sendall(request("/")[0])
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += line.recv(4_096)
    return line


def echoes(server: Server, line: socket.socket) -> float:
    """Microseconds of the server's CPU for an echo, one at a time."""
    message = encode(TEXT, b"x" * SIZE)
    before = server.cpu_ns()
    for _ in range(ECHOES):
        line.sendall(message)
        left = len(message) - 4
        while left:
            left -= len(line.recv(left))
    return (server.cpu_ns() - before) / ECHOES / 1e3


def handshakes(server: Server, context: ssl.SSLContext | None) -> float:
    """Microseconds of the server's CPU for a connection that comes, upgrades and goes."""
    before = server.cpu_ns()
    for _ in range(HANDSHAKES):
        connect(server, context).close()
    return (server.cpu_ns() - before) / HANDSHAKES / 1e3


def idle_bytes(server: Server, context: ssl.SSLContext | None) -> float:
    """Bytes of the server's own memory for an idle connection."""
    first = [connect(server, context) for _ in range(50)]
    before = server.private_bytes()
    lines = [connect(server, context) for _ in range(CONNECTIONS)]
    time.sleep(0.2)
    grown = server.private_bytes() - before
    for line in first + lines:
        line.close()
    return grown / CONNECTIONS


def main() -> None:
    """Print the table."""
    pair = issue(Path(tempfile.mkdtemp()))
    with served(None) as plain, served(pair) as older, served(pair) as newer:
        rows = dict(zip(KINDS, (plain, older, newer), strict=True))
        contexts = {kind: context_for(kind, pair) for kind in KINDS}
        memory = {kind: idle_bytes(server, contexts[kind]) for kind, server in rows.items()}
        lines = {kind: connect(server, contexts[kind]) for kind, server in rows.items()}
        cpu: dict[str, list[float]] = {kind: [] for kind in KINDS}
        hands: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for _ in range(ROUNDS):
            for kind, server in rows.items():
                cpu[kind].append(echoes(server, lines[kind]))
                hands[kind].append(handshakes(server, contexts[kind]))
        print("| line | user memory, idle | CPU an echo | CPU a connection |\n|---|---|---|---|")
        for kind in KINDS:
            echo, hand = statistics.median(cpu[kind]), statistics.median(hands[kind])
            print(f"| {kind} | {memory[kind]:.0f} bytes | {echo:.1f} µs | {hand:.0f} µs |")


if __name__ == "__main__":
    main()
