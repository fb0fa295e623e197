"""An application for the tests of hooks: what it does depends on what a client says.

Run by `hivewire serve tests.e2e.hooked:app`. It tells what it sees by messages to `WITNESS`.
"""

from __future__ import annotations

import asyncio
import os

import hivewire

WITNESS = "witness"
BOT = "bot"
SLOW_SECONDS = 0.4

app = hivewire.App()

if os.environ.get("HOOKED_AUTHENTICATE"):

    @app.authenticate
    async def by_name(credentials: hivewire.Credentials) -> hivewire.Identity | None:
        """A token is a password and a name."""
        password, _, user = credentials.token.partition("~")
        await asyncio.sleep(0)
        if password == "bug":
            raise ZeroDivisionError
        if password == "hang":
            await asyncio.Event().wait()
        return hivewire.Identity(user) if password == "sesame" else None


@app.on_start
async def hello() -> None:
    await app.send(BOT, f"user:{WITNESS}", text="started", key="hello-from-the-bot")


@app.on_stop
async def bye() -> None:
    await app.send(BOT, f"user:{WITNESS}", text="stopped")


@app.on_connect
async def comes(session: hivewire.Session) -> None:
    if session.user.startswith("banned"):
        raise hivewire.Refuse("you are banned here")
    session.state["said"] = 0


@app.on_disconnect
async def goes(session: hivewire.Session, code: int) -> None:
    if session.user != WITNESS:
        said = {"gone": session.user, "code": code, "said": session.state["said"]}
        await app.send(BOT, f"user:{WITNESS}", data=said)


@app.on_send
async def judge(message: hivewire.Message) -> None:
    text = message.text or ""
    assert message.session is not None
    message.session.state["said"] += 1
    word, _, rest = text.partition(" ")
    if word == "refuse":
        raise hivewire.Refuse("mind your words", field="text")
    if word == "bug":
        raise ZeroDivisionError
    if word == "hang":
        await asyncio.Event().wait()
    if word == "slow":
        await asyncio.sleep(SLOW_SECONDS)
    if word == "shout":
        message.text = rest.upper()
        message.data = {"edit_of": message.edit_of} if message.edit_of is None else None


@app.on_event
async def seen(event: hivewire.Event) -> None:
    if WITNESS not in event.conv:
        body = {"event": event.type, "conv": event.conv, "n": event.n, "from": event.sender}
        await app.send(BOT, f"user:{WITNESS}", data=body)


@app.on_offline
async def missed(event: hivewire.Event, user: str) -> None:
    if WITNESS not in event.conv:
        body = {"missed": user, "conv": event.conv, "n": event.n}
        await app.send(BOT, f"user:{WITNESS}", data=body)
