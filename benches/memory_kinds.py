"""Where memory goes while many connections stand: whose, and of which kind in the kernel.

Read from /proc. A socket's own objects come from the kernel's slabs; what waits in its buffers is
counted as `tcp_buffers`; page tables and stacks belong to whoever runs. All sizes are bytes.
"""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

PAGE: Final = os.sysconf("SC_PAGE_SIZE")
# What an idle TCP connection is made of, by slab.
SOCKET_SLABS: Final = (
    *("TCP", "TCPv6", "sock_inode_cache", "filp", "dentry", "eventpoll_epi", "eventpoll_pwq"),
    *(
        "request_sock_TCP",
        "tw_sock_TCP",
        "tcp_bind_bucket",
        "tcp_bind2_bucket",
        "skbuff_head_cache",
    ),
)


@dataclass(frozen=True)
class Kinds:
    """Memory at one moment, in bytes."""

    node: int
    """Resident memory of the node."""
    swarm: int
    """Resident memory of the load client; 0 where there is none."""
    available: int
    """What the kernel could still give to somebody (MemAvailable)."""
    slab_fixed: int
    """Kernel objects that cannot be reclaimed."""
    slab_reclaimable: int
    """Those that can when nobody holds them any more: a socket's inode and dentry are here."""
    page_tables: int
    stacks: int
    tcp_buffers: int
    """Socket buffers, as the kernel accounts for them."""
    sockets: int
    """TCP sockets in use, both ends."""

    @property
    def slabs(self) -> int:
        """All kernel objects."""
        return self.slab_fixed + self.slab_reclaimable

    def to_dict(self) -> dict[str, int]:
        """For JSON."""
        return asdict(self)


def look(node: int, swarm: int | None = None) -> Kinds:
    """Memory now; `node` and `swarm` are process ids."""
    info = _fields(Path("/proc/meminfo").read_text(), "kB")
    used, pages = _tcp()
    return Kinds(
        node=resident(node),
        swarm=0 if swarm is None else resident(swarm),
        available=info["MemAvailable"],
        slab_fixed=info["SUnreclaim"],
        slab_reclaimable=info["SReclaimable"],
        page_tables=info["PageTables"],
        stacks=info["KernelStack"],
        tcp_buffers=pages * PAGE,
        sockets=used,
    )


def available() -> int:
    """Bytes that the kernel could still give to somebody."""
    return _fields(Path("/proc/meminfo").read_text(), "kB")["MemAvailable"]


def resident(pid: int) -> int:
    """Resident bytes of a process; 0 when it has gone."""
    return _status(pid, "VmRSS")


def peak(pid: int) -> int:
    """The most resident bytes that a process has ever had."""
    return _status(pid, "VmHWM")


def slabs() -> dict[str, tuple[int, int]]:
    """Of the slabs that sockets are made of: objects in use, and bytes of each. Empty if hidden."""
    try:
        text = Path("/proc/slabinfo").read_text()
    except OSError:
        return {}
    rows = (line.split() for line in text.splitlines()[2:])
    return {row[0]: (int(row[1]), int(row[3])) for row in rows if row[0] in SOCKET_SLABS}


def _status(pid: int, name: str) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _fields(text: str, unit: str) -> dict[str, int]:
    found = re.findall(rf"^(\w+):\s+(\d+) {unit}$", text, re.MULTILINE)
    return {name: int(number) * 1024 for name, number in found}


def _tcp() -> tuple[int, int]:
    """TCP sockets in use, and pages of their buffers."""
    text = Path("/proc/net/sockstat").read_text()
    found = re.search(r"^TCP: inuse (\d+) .* mem (\d+)", text, re.MULTILINE)
    return (int(found[1]), int(found[2])) if found else (0, 0)
