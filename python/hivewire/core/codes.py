"""The error codes of the protocol, section 3, each with what it says to a client.

docs/codes.md is made of them, with the close codes of `rust/proto/src/close.rs`.
"""

from __future__ import annotations

from typing import Final

ERRORS: Final = {
    "bad_request": "The command is wrong in itself; `field` names what. A bug of the client: the"
    " tenth mistake in a minute closes the line with 4501.",
    "unauthorized": "No `connect` yet, or the token that `refresh` brought does not count.",
    "forbidden": "Not allowed to this user: not a member, blocked, not his role, or a hook said"
    " no. A conversation that does not exist is forbidden too.",
    "not_found": "There is no such message, key, user or file.",
    "conflict": "The key was used for something else before, or the id of the group is taken.",
    "too_large": "Over a limit of `connected.limits` or of the group.",
    "rate_limited": "Too often. Wait for `retry_after_ms` and send the same again.",
    "unavailable": "Not now: overload, or a hook that was late. Send the same again.",
    "internal": "The node or a hook failed; nothing was stored. The node's log says why.",
    "unsupported": "This version of the node does not know the command.",
}
RETRYABLE: Final = frozenset({"rate_limited", "unavailable"})
"""Those after which a client sends the same again by itself."""
