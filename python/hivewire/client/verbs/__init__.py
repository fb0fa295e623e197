"""What a client can ask of the server: one class for each part of the protocol."""

from __future__ import annotations

from hivewire.client.verbs.conversations import ConversationVerbs
from hivewire.client.verbs.devices import DeviceVerbs
from hivewire.client.verbs.groups import GroupVerbs
from hivewire.client.verbs.messages import MessageVerbs
from hivewire.client.verbs.people import PeopleVerbs

__all__ = ["ConversationVerbs", "DeviceVerbs", "GroupVerbs", "MessageVerbs", "PeopleVerbs"]
