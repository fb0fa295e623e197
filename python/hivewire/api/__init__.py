"""The HTTP side of a node (protocol.md section 9).

`listener` gathers the endpoints; `endpoint` is the way of every request, `calls` how one becomes a
command, `polls` how one waits for events.
"""

from __future__ import annotations

from hivewire.api.access import Access
from hivewire.api.calls import Calls
from hivewire.api.context import Context
from hivewire.api.listener import Api
from hivewire.api.polls import Polls

__all__ = ["Access", "Api", "Calls", "Context", "Polls"]
