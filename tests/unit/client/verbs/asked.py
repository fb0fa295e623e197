"""A client that answers itself: what a verb asks is written down, a prepared answer comes back."""

from __future__ import annotations

from typing import Any

from hivewire.client.standing import Standing
from hivewire.client.verbs import (
    ConversationVerbs,
    DeviceVerbs,
    GroupVerbs,
    MessageVerbs,
    PeopleVerbs,
)


class Asked(MessageVerbs, ConversationVerbs, GroupVerbs, PeopleVerbs, DeviceVerbs):
    """Every verb, on a wire that is a list."""

    def __init__(self, **answer: Any) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.said: list[dict[str, Any]] = []
        self.standing = Standing()

    async def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        self.asked.append(
            {"op": op, **{name: value for name, value in fields.items() if value is not None}}
        )
        return self.answer

    def say(self, op: str, **fields: Any) -> None:
        self.said.append({"op": op, **fields})
