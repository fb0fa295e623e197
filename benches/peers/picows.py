"""picows (Cython), a server on uvloop."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from peers.websocket import python_server

SCRIPT: Final = Path(__file__).parent / "servers" / "picows_server.py"
PEER: Final = python_server("picows", SCRIPT)
