"""websockets (Python), its asyncio server on uvloop."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from peers.websocket import python_server

SCRIPT: Final = Path(__file__).parent / "servers" / "websockets_server.py"
PEER: Final = python_server("websockets", SCRIPT)
