"""Eclipse Mosquitto (C), an MQTT broker, from Debian's package."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from peers.peer import CACHE, Peer, debian_packages, free_port, fresh, python_load, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peers.works import Work
    from processes import Server, Tools

LIBRARIES: Final = "usr/lib/x86_64-linux-gnu"
CONFIGURATION: Final = """\
listener {port} 127.0.0.1
allow_anonymous true
max_inflight_messages 0
max_queued_messages 0
user root
log_dest stderr
log_type error
"""
# The nearest to durable that it has: all that is kept, written anew every second, without a sync.
PERSISTENCE: Final = """\
persistence true
persistence_location {folder}/
autosave_interval 1
"""


@contextmanager
def serve(tools: Tools, work: Work) -> Iterator[Server]:
    """A broker with a configuration of its own."""
    port, folder = free_port(), fresh(tools.work / "mosquitto")
    text = CONFIGURATION.format(port=port)
    if work.kind == "messages":
        text += PERSISTENCE.format(folder=folder)
    configuration = folder / "mosquitto.conf"
    configuration.write_text(text)
    root = CACHE / "mosquitto"
    words = [str(root / "usr/sbin/mosquitto"), "-c", str(configuration)]
    settings = {"LD_LIBRARY_PATH": str(root / LIBRARIES)}
    with serving(tools, words, port, settings) as server:
        yield server


PEER: Final = Peer(
    "Mosquitto",
    "in memory for sessions that persist (QoS 1), a snapshot each second, no sync",
    frozenset({"idle", "connect", "echo", "fanout", "messages"}),
    lambda: (debian_packages("mosquitto", "mosquitto"), None)[1],
    serve,
    lambda tools, server, work: python_load(tools, server, work, "mqtt"),
)
