"""Bounds of what one command may hold and of what one answer may. All sizes are UTF-8 bytes."""

from __future__ import annotations

COMMAND_OBJECTS = 64
"""Commands in one WebSocket message."""
DATA_DEPTH = 16
"""Levels of objects and arrays in `data`, itself included."""
FRAME_DEPTH = 2 + DATA_DEPTH
"""Levels in a whole message: the array, the command, and the deepest `data`."""
TEXT_BYTES = 16 * 1024
"""Bytes of `text`."""
DATA_BYTES = 16 * 1024
"""Bytes of `data`, encoded as compact JSON."""
COMMAND_ID = 2**32 - 1
"""The highest `id` of a command."""
POSITION = 2**53 - 1
"""The highest `seq` or `n`: what every JSON reader can hold."""
PAGE_EVENTS = 500
"""Events in one page; a higher `limit` is clamped."""
PAGE_BYTES = 256 * 1024
"""Bytes of events in one page, the last one included unless it is the only one."""
