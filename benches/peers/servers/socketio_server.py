"""python-socketio on uvicorn and uvloop: `echo` comes back, `pub` goes to the room of all `sub`."""

from __future__ import annotations

import sys

import socketio
import uvicorn

ROOM = "all"
sio = socketio.AsyncServer(async_mode="asgi", transports=["websocket"], ping_interval=300)


@sio.event
async def sub(sid: str) -> str:
    """Enter the room; the answer says that it is done."""
    await sio.enter_room(sid, ROOM)
    return "ok"


@sio.event
async def own(_sid: str) -> str:
    """Nothing to enter."""
    return "ok"


@sio.event
async def echo(sid: str, text: str) -> None:
    """Back it goes."""
    await sio.emit("m", text, to=sid)


@sio.event
async def pub(_sid: str, text: str) -> None:
    """To everybody in the room."""
    await sio.emit("m", text, room=ROOM)


if __name__ == "__main__":
    uvicorn.run(
        socketio.ASGIApp(sio),
        host="127.0.0.1",
        port=int(sys.argv[2]),
        loop="uvloop",
        log_level="error",
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        backlog=4096,
    )
