"""A bot that answers: who writes to `bot`, or mentions it in a group, gets a reply.

    hivewire serve --dev examples.bot:app
    hivewire chat --as ann --to bot

`!help` lists what it knows. In a group it has to be a member like anybody else.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime

import hivewire

BOT = "bot"

app = hivewire.App()


@app.on_event
async def answer(event: hivewire.Event) -> None:
    """Reply to what is meant for the bot, and never to itself."""
    if event.type != "message" or event.text is None or event.sender == BOT:
        return
    if is_asked(event):
        await app.send(BOT, event.conv, text=reply_to(event.text), reply_to=event.n)


def is_asked(event: hivewire.Event) -> bool:
    """Whether a message is in the bot's own chat, or mentions it."""
    kind, _, users = event.conv.partition(":")
    return BOT in event.mentions or (kind == "direct" and BOT in users.split(","))


def reply_to(text: str) -> str:
    """What the bot says to that."""
    command, _, rest = text.strip().partition(" ")
    if command == "!time":
        return f"{datetime.now(UTC):%H:%M} UTC"
    if command == "!roll":
        sides = int(rest) if rest.isdecimal() and int(rest) else 6
        return f"you rolled {random.randint(1, sides)}"  # noqa: S311 - a game
    if command == "!help":
        return "!time, !roll [sides]; anything else I say back"
    return f"you said: {text}"
