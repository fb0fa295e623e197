"""The verbs of groups and channels: `group.…`, one verb, one file."""

from __future__ import annotations

from hivewire.handlers.groups import add, create, info, leave, members, remove, update

__all__ = ["add", "create", "info", "leave", "members", "remove", "update"]
