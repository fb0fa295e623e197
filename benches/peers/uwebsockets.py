"""uWebSockets (C++), through its Python binding socketify."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from peers.websocket import python_server

SCRIPT: Final = Path(__file__).parent / "servers" / "uwebsockets_server.py"
PEER: Final = python_server("uWebSockets (socketify)", SCRIPT)
