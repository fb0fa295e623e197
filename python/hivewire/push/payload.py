"""What is in a push: who is meant, what there is, and its text if the settings say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hivewire.store import pushes

if TYPE_CHECKING:
    from hivewire.config.push import Push as Settings
    from hivewire.push.outlook import Job


class Body(msgspec.Struct, gc=False):
    """Of a stored event: what a push needs."""

    from_: str = msgspec.field(name="from")
    ts: int
    text: str | None = None
    recalled: int | None = None


body_of = msgspec.json.Decoder(Body).decode
encode = msgspec.json.Encoder().encode


def payload_of(job: Job, body: Body | None, epoch: str, settings: Settings) -> dict[str, Any]:
    """The object that a push carries (docs/push.md)."""
    what = what_of(job)
    clear = what == "clear"
    payload: dict[str, Any] = {
        "type": what,
        "id": push_id(job, epoch),
        "user": job.user,
        "device": job.device,
        "conv": job.push.conv,
        "n": job.push.n,
    }
    if body is not None and not clear:
        payload |= {"seq": job.seq, "from": body.from_, "ts": body.ts}
        if settings.text and body.text:
            text = cut(body.text, settings.text_bytes)
            payload["text"] = text
            if text != body.text:
                payload["cut"] = True
    return payload


def what_of(job: Job) -> str:
    """The `type` of a push."""
    return "clear" if job.push.what == pushes.CLEAR else "message"


def push_id(job: Job, epoch: str) -> str:
    """The same however often it is tried, and of no other push."""
    return f"{epoch}:{job.user}:{job.device}:{job.seq}:{what_of(job)}"


def cut(text: str, size: int) -> str:
    """The beginning of a text that has at most `size` bytes, whole characters only."""
    return text.encode()[:size].decode(errors="ignore")
