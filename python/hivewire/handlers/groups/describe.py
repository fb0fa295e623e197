"""`group`: what a group or channel is and who is in it, as the store has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hivewire.core import events
from hivewire.core.limits import LISTED_MEMBERS
from hivewire.store import keys

if TYPE_CHECKING:
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services
    from hivewire.store import Store


def tell_group(
    conv: str, command_id: int, caller: Caller, services: Services, *, dup: bool = False
) -> None:
    """Answer `group`. Who repeats a command and is no member by now learns only that it is done.

    Everything that was written must be durable.
    """
    store, user = services.view.store, caller.user or ""
    prefix = keys.prefix(conv)
    value = store.get(store.columns.conversations, prefix)
    known = value is not None and is_member(store, prefix, user)
    row = (
        keys.parse_conversation_value(value)
        if value is not None and known
        else keys.ConversationRow(events.KIND_NUMBERS[conv.partition(":")[0]], 0, 0, 0, "")
    )
    answer: dict[str, Any] = {
        "op": "group",
        "id": command_id,
        "conv": conv,
        "kind": events.KINDS[row.kind],
        "name": row.name,
        "history": events.HISTORIES[row.history],
        "members": list_members(store, prefix, None, LISTED_MEMBERS) if known else [],
        "count": row.size,
        "head": services.view.existing(conv).durable if known else 0,
        "dup": dup,
    }
    services.delivery.answer(caller, answer)


def list_members(
    store: Store, prefix: bytes, after: str | None, limit: int
) -> list[dict[str, str]]:
    """Members in byte order of their ids, from behind `after` on."""
    start = prefix if after is None else prefix + after.encode() + b"\0"
    rows = store.scan(store.columns.members, start, keys.range_end(prefix), limit)
    return [
        {
            "user": key[len(prefix) :].decode(),
            "role": events.ROLES[keys.parse_member_value(value).role],
        }
        for key, value in rows
    ]


def is_member(store: Store, prefix: bytes, user: str) -> bool:
    """Whether a user is in a group or channel, as the store has it."""
    return store.get(store.columns.members, prefix + user.encode()) is not None
