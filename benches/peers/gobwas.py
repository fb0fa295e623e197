"""gobwas/ws (Go) on one epoll loop."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from peers.peer import CACHE, NotHad, installed
from peers.websocket import program

SOURCE: Final = Path(__file__).parent / "servers" / "gobwas"
PROGRAM: Final = CACHE / "gobwas-server"


def install() -> None:
    """Build it, where there is a Go compiler."""
    newest = max(path.stat().st_mtime for path in SOURCE.iterdir())
    if PROGRAM.exists() and PROGRAM.stat().st_mtime >= newest:
        return
    go = shutil.which("go")
    if go is None:
        raise NotHad("no Go compiler (`go`) on the path")
    CACHE.mkdir(parents=True, exist_ok=True)
    installed([go, "build", "-o", str(PROGRAM), "."], cwd=SOURCE, CGO_ENABLED="0")


PEER: Final = program("gobwas/ws", PROGRAM, install)
