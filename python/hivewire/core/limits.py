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
NAME_BYTES = 256
"""Bytes of a group's `name`."""
EMOJI_BYTES = 64
"""Bytes of a reaction's `emoji`: the longest sequences that people send have 35."""
MEMBERS_A_COMMAND = 500
"""Users in one `group.create`, `group.add` or `group.remove`."""
ENDPOINT_BYTES = 1024
"""Bytes of a `push.register`'s `endpoint`: push services make some 200."""
DEVICE_TOKEN_BYTES = 4096
"""Bytes of a `push.register`'s `token`."""
WATCHED_USERS = 500
"""Users whose presence one connection may watch."""
LISTED_CONVERSATIONS = 100
"""Conversations in one `conversations` answer; a higher `limit` is clamped."""
LISTED_MESSAGES = 20
"""Events of each conversation in a listing; more is clamped."""
HISTORY_EVENTS = 200
"""Events in one `history` answer; a higher `limit` is clamped."""
LISTED_MEMBERS = 500
"""Members in one `group` or `members` answer; a higher `limit` is clamped."""
LISTING_BYTES = 256 * 1024
"""Bytes of what a listing holds; what does not fit comes with the next one."""
RECENT_BYTES = 192 * 1024
"""Bytes of `connected.recent`: with a first page it fits into one server's message."""
SMALL_GROUP = 100
"""Members up to which a group has receipts, `typing` and `peers`."""
LISTED_REACTIONS = 100
"""Users listed for an emoji; `reaction_counts` has all."""
LISTED_REACTIONS_IN_ALL = 1_000
"""Users listed for all emojis of one message together: a listing must fit into one message."""
DEVICE_KEYS_BYTES = 8 * 1024
"""Bytes of the `keys` of one device, encoded as compact JSON."""
DEVICES_WITH_KEYS = 32
"""Devices of one user that have keys: all of them fit into one answer."""
EDITS_A_MESSAGE = 1_000
"""Edits of one message: a recall takes the text out of every one of them."""
MEDIA_A_MESSAGE = 64
"""Uploads that one message names: each is looked up and has a row of its own."""
EMOJIS_A_MESSAGE = 64
"""Different emojis on one message."""
