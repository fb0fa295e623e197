"""`python -m peers.load DIALECT WORK`: the command line of the load; prints one JSON object."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any, Final

import uvloop

from peers.load.crew import Crew, Line, cpu_seconds
from peers.load.mqtt import MqttLine
from peers.load.nats import JetStreamLine, NatsLine
from peers.load.socketio import SocketIoLine
from peers.load.xmpp import XmppLine

DIALECTS: Final[dict[str, type[Line]]] = {
    "mqtt": MqttLine,
    "nats": NatsLine,
    "jetstream": JetStreamLine,
    "xmpp": XmppLine,
    "socketio": SocketIoLine,
}
WORKS: Final = ("connect", "idle", "echo", "fanout", "messages")


def arguments() -> argparse.Namespace:
    """Named as the swarm's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dialect", choices=DIALECTS)
    parser.add_argument("work", choices=WORKS)
    parser.add_argument("--server", required=True, metavar="HOST:PORT")
    parser.add_argument("--server-pid", type=int, required=True, metavar="PID")
    parser.add_argument("-n", "--connections", type=int, default=100)
    parser.add_argument("-w", "--in-flight", type=int, default=1)
    parser.add_argument("--bytes", type=int, default=100)
    parser.add_argument("--warm", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=3.0)
    return parser.parse_args()


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """Connect, work, hang up; the object to print."""
    crew = Crew(options.work, options.connections, options.in_flight, options.bytes)
    host, _, port = options.server.rpartition(":")
    loop = asyncio.get_running_loop()
    began, before = loop.time(), cpu_seconds(options.server_pid)
    await crew.connect(DIALECTS[options.dialect], (host, int(port)))
    count = options.connections
    cpu = cpu_seconds(options.server_pid) - before
    ramp = {
        "seconds": loop.time() - began,
        "connections_per_second": count / (loop.time() - began),
        "server_cpu_us_per_connection": cpu * 1e6 / count,
    }
    result: dict[str, Any] = {"scenario": options.work, "connections": count, "ramp": ramp}
    if options.work == "idle":
        print(f"holding {count}", flush=True)
        await loop.run_in_executor(None, sys.stdin.read)
    elif options.work != "connect":
        pid, window = options.server_pid, (options.warm, options.seconds)
        result["load"] = await crew.measure(pid, *window)
    crew.end()
    return {**result, "faults": dict(crew.faults)}


def main() -> int:
    """0 clean, 1 faults, 2 could not run."""
    try:
        result = uvloop.run(run(arguments()))
    except (OSError, TimeoutError) as error:
        print(f"load: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print(json.dumps(result), flush=True)
    return int(bool(result["faults"]))


if __name__ == "__main__":
    sys.exit(main())
