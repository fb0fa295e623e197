"""Who is there, who wants to know, and how they are told: protocol, section 7.

`Presence` decides, with time as an argument; `Ticker` runs it on the loop.
"""

from __future__ import annotations

from hivewire.presence.person import Change, Watcher
from hivewire.presence.presence import Presence
from hivewire.presence.ticker import Ticker

__all__ = ["Change", "Presence", "Ticker", "Watcher"]
