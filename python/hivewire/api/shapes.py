"""What answers and ids look like, for the endpoints and for `/openapi.json`."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from hivewire.core.limits import POSITION

CHARACTERS: Final = r"[A-Za-z0-9._~@+=/\-]"
UserId = Annotated[str, Meta(pattern=rf"^{CHARACTERS}{{1,64}}$", description="A user's id.")]
DeviceId = Annotated[str, Meta(pattern=rf"^{CHARACTERS}{{1,64}}$", description="A device's id.")]
Key = Annotated[
    str,
    Meta(
        pattern=rf"^{CHARACTERS}{{8,64}}$",
        description="The client's own id of a change: a resend under the same one is safe.",
    ),
]
_GROUP: Final = rf"(group|channel):{CHARACTERS}{{1,64}}"
_CONV: Final = rf"direct:{CHARACTERS}{{1,64}},{CHARACTERS}{{1,64}}|{_GROUP}"
GroupConv = Annotated[str, Meta(pattern=f"^{_GROUP}$", description="`group:G` or `channel:C`.")]
Conv = Annotated[
    str,
    Meta(
        pattern=f"^({_CONV})$",
        description="`direct:A,B` (in byte order), `group:G` or `channel:C`.",
        examples=["direct:ann,bob"],
    ),
]
Target = Annotated[
    str,
    Meta(
        pattern=rf"^(user:{CHARACTERS}{{1,64}}|{_CONV})$",
        description="`user:B`, or a conversation's id.",
        examples=["user:bob"],
    ),
]
Place = Annotated[int, Meta(ge=0, le=POSITION)]
Count = Annotated[int, Meta(ge=1, le=POSITION)]
Wait = Annotated[
    float,
    Meta(ge=0, description="Seconds to wait for something to come; at most 30, more is clamped."),
]


class Problem(Struct, omit_defaults=True):
    """What was wrong."""

    code: str
    message: str
    retryable: bool
    field: str | None = None
    retry_after_ms: int | None = None


class Failure(Struct):
    """Every answer that is no success."""

    error: Problem


class Sent(Struct):
    """A message or change on stable storage (protocol, section 4)."""

    op: Literal["sent"]
    conv: str
    n: int
    ts: int
    dup: bool
    seq: int | msgspec.UnsetType = msgspec.UNSET


class Page(Struct):
    """A part of one's timeline (protocol, section 5)."""

    op: Literal["page"]
    events: list[dict[str, Any]]
    next: int
    head: int
    done: bool
    trimmed_before: int
    epoch: str


class Listing(Struct):
    """Conversations, the newest first (protocol, section 6)."""

    op: Literal["conversations"]
    items: list[dict[str, Any]]
    next: str | None


class History(Struct):
    """Events of a conversation in order of `n` (protocol, section 6)."""

    op: Literal["history"]
    items: list[dict[str, Any]]
    done: bool
