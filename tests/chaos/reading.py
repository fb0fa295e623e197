"""After healing: a user reads all conversations, from end to end, and writes down what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.chaos.history import Event, GroupTold, HistoryRead, Listed, Unread

if TYPE_CHECKING:
    from tests.chaos.device import Device
    from tests.e2e.stranger import Stranger

LIMIT = 50
"""Events in one answer: so few that there are seams."""


async def read_conversations(device: Device, stranger: Stranger) -> None:
    """The list of conversations, the history of each, and who is in the groups."""
    items = await stranger.conversations(limit=7)
    convs = tuple(item["conv"] for item in items)
    device.record(Listed(*device.stamp(), convs))
    for item in items:
        conv = item["conv"]
        _record_marks(device, item)
        events = await stranger.history(conv, limit=LIMIT)
        whole = tuple(map(Event.of, events))
        device.record(HistoryRead(*device.stamp(), conv, whole, final=True))
        device.record(Unread(*device.stamp(), conv, item["read"], item["unread"]))
        if not conv.startswith("direct:"):
            info = await stranger.call("group.info", conv=conv)
            members = tuple(member["user"] for member in info["members"])
            device.record(GroupTold(*device.stamp(), "", conv, info["head"], members))


def _record_marks(device: Device, item: dict[str, Any]) -> None:
    """The user's own mark, and those of the others where they are told."""
    conv, read = item["conv"], item["read"]
    device.hear_marks(conv, device.user, read, read)
    for member, marks in item.get("peers", {}).items():
        device.hear_marks(conv, member, marks["delivered"], marks["read"])
