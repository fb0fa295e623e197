"""From a decided entry to everybody who must hear of it.

`delivery` holds the order that the promise rests on, `rows` what is written and told to nobody;
`owed` is what a group of entries leaves to be told, `receipts` and `heads` what is gathered for a
moment before it is told.
"""

from __future__ import annotations

from hivewire.delivery.answers import JSON, MSGPACK, encode, sent, sent_fields
from hivewire.delivery.caller import Caller
from hivewire.delivery.delivery import Delivery
from hivewire.delivery.owed import Op, Ops, Owed

__all__ = [
    "JSON",
    "MSGPACK",
    "Caller",
    "Delivery",
    "Op",
    "Ops",
    "Owed",
    "encode",
    "sent",
    "sent_fields",
]
