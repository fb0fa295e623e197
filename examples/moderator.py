"""A moderator: who may come in, what may be said, and how.

    hivewire serve --dev examples.moderator:app

Banned users are turned away, some words are masked before anybody sees them, and guests may not
post links.
"""

from __future__ import annotations

import re

import hivewire

BANNED = {"mallory"}
WORDS = re.compile(r"\b(darn|heck)\b", re.IGNORECASE)
LINK = re.compile(r"https?://")

app = hivewire.App()


@app.on_connect
async def let_in(session: hivewire.Session) -> None:
    """Turn banned users away; they see the reason and do not come back by themselves."""
    if session.user in BANNED:
        raise hivewire.Refuse("you are banned here")


@app.on_send
async def moderate(message: hivewire.Message) -> None:
    """Mask words, in new messages and in edits; refuse links of guests."""
    text = message.text
    if text is None:
        return
    if LINK.search(text) and message.sender.startswith("guest."):
        raise hivewire.Refuse("guests may not post links", field="text")
    message.text = WORDS.sub(lambda word: "*" * len(word[0]), text)
