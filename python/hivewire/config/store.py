"""The settings of the store: where the truth lies, what of it is in memory, how long it stays."""

from __future__ import annotations

from pathlib import Path

from hivewire.config.sections import Section, setting
from hivewire.config.units import Duration, Size  # noqa: TC001 - pydantic reads them


class Store(Section):
    """Where the truth lies."""

    path: Path = setting(
        Path("data"),
        "The data directory (mode 0700), held by one node at a time. Flag: `--data`.",
    )
    sync: bool = setting(
        default=True,
        why="fsync before anything is answered or shown. Off, a power cut loses answered messages.",
    )
    block_cache: Size = setting(
        "64MiB",
        "Read cache of the database.",
        more="Memory.",
        less="Pages and history read from disk more often.",
        ge=1 << 20,
    )
    write_buffer: Size = setting(
        "64MiB",
        "What the database gathers in memory before it writes files.",
        more="Memory, and a longer start after a crash.",
        less="More and smaller files, more compaction.",
        ge=1 << 20,
    )
    open_files: int = setting(
        512,
        "Files the database keeps open.",
        more="Descriptors of the main file table.",
        less="Files are opened again and again.",
        ge=64,
    )
    cache_users: int = setting(
        8192,
        "Users whose timeline's head stays in memory; dropped and read again at any moment.",
        more="About 500 bytes each, and 800 for marks and cursors of twice as many.",
        less="A read for each send to a user who is not in it, two for an ack of one who is not "
        "among twice as many.",
        ge=256,
    )
    cache_history: Size = setting(
        "64MiB",
        "Memory for the newest events of conversations that are read, so that a client that comes "
        "in gets them without a read.",
        more="Memory.",
        less="Newest messages are read from the database more often.",
        ge=65_536,
    )
    cache_unread: int = setting(
        1_000_000,
        "Events whose authors stay in memory, so that unread messages are counted without a read.",
        more="About 10 bytes each.",
        less="Conversations with much unread are read again for each count.",
        ge=1024,
    )
    retention: Duration = setting(
        "90d",
        "How long an event stays in timelines, and a device that is not heard of is known; 0 keeps "
        "both for ever. Messages and `history` stay.",
        more="Disk: about 60 bytes an event and member.",
        less="Who was away for longer loads `conversations` and `history` instead of pages.",
    )
    retention_pass: Duration = setting(
        "1h",
        "From one look for what is older than the retention to the next.",
        more="Old events stay for longer.",
        less="The same rows are looked at more often.",
        ge=100,
    )
    cursor_delay: Duration = setting(
        "100ms",
        "How long acks are gathered before they are written.",
        more="kill -9 brings events back that were acked within it; above 100 ms breaks the "
        "protocol's word.",
        less="More writes.",
        le=100,
    )
