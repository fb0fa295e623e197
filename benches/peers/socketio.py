"""python-socketio on uvicorn and uvloop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from peers.peer import python_load
from peers.websocket import python_server

SCRIPT: Final = Path(__file__).parent / "servers" / "socketio_server.py"
PEER: Final = replace(
    python_server("python-socketio", SCRIPT),
    load=lambda tools, server, work: python_load(tools, server, work, "socketio"),
)
