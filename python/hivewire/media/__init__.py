"""Uploads: their bytes in a folder or an S3-compatible store, their rows in the journal.

`Media` is the room that the HTTP side and the node work with; `docs/media.md` tells what it does.
"""

from __future__ import annotations

from hivewire.media.incoming import Incoming
from hivewire.media.media import Media
from hivewire.media.refusals import Refused

__all__ = ["Incoming", "Media", "Refused"]
