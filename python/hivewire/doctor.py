"""`hivewire doctor`: is this machine fit for a node with these settings?

Each examination is a function that gives findings; an error means that the node would not start or
not keep its promises, a warning that it would be slower or smaller than it could be.
"""

from __future__ import annotations

import ctypes
import errno
import importlib
import os
import resource
import socket
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from hivewire.auth import KeyProblem, Verifier, keyring_of, read_dev_secret, weakness
from hivewire.config import parse_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hivewire.config import Settings

SOMAXCONN: Final = 16_384
"""What each shard asks for (`BACKLOG` in rust/engine/src/shard/accept.rs)."""
PORTS: Final = 20_000
SPARE_FILES: Final = 10_000
IDLE_BYTES: Final = 4_700
"""What an idle connection takes, in the kernel (4,200) and in the node (docs/scale.md)."""
MEMORY_SHARE: Final = 0.5
"""Of the machine, for connections at rest: those that are not, and everything else, need some."""
SYNC_ROUNDS: Final = 32
SLOW_SYNC_MS: Final = 10.0
SYS_CLOSE_RANGE: Final = 436
CLOSE_RANGE_UNSHARE: Final = 1 << 1
HIGHEST_DESCRIPTOR: Final = 0xFFFF_FFFF


class Finding(NamedTuple):
    """What one look gave."""

    level: Literal["ok", "warning", "error"]
    what: str
    text: str

    @property
    def is_error(self) -> bool:
        """Whether the node would not run as it should."""
        return self.level == "error"

    def line(self) -> str:
        """The finding for people."""
        return f"{self.level:7}  {self.what:12}  {self.text}"


def examine(settings: Settings) -> Iterator[Finding]:
    """Every finding, in the order in which a node would meet it."""
    yield from libraries()
    yield from key(settings)
    yield from file_tables(settings)
    yield from kernel()
    yield from room(settings)
    yield from ports(settings)
    yield from disk(settings.store.path)


def libraries() -> Iterator[Finding]:
    """The compiled parts load."""
    for name in ("hivewire._engine", "uvloop", "rocksdict", "msgspec"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            yield Finding("error", name, f"does not load: {error}")
        else:
            yield Finding("ok", name, "loads")


def key(settings: Settings) -> Iterator[Finding]:
    """Tokens can be checked."""
    auth = settings.auth
    try:
        Verifier(auth, keyring_of(settings, time.monotonic))
    except KeyProblem as error:
        if auth.secret is None and auth.algorithm == "HS256":
            kept = read_dev_secret(settings.store.path) is not None
            text = "the one of serve --dev" if kept else "none yet; serve needs one, or --dev"
            yield Finding("warning", "auth", text)
        else:
            yield Finding("error", "auth", str(error))
        return
    warning = weakness(auth)
    if warning:
        yield Finding("warning", "auth", warning)
    else:
        origin = " from " + ", ".join(settings.jwks.urls) if settings.jwks.urls else ""
        yield Finding("ok", "auth", f"key for {auth.algorithm}{origin}")


def file_tables(settings: Settings) -> Iterator[Finding]:
    """As many connections as the settings allow fit into the shards' file tables."""
    try:
        from hivewire import gateway
    except ImportError:
        return  # told already: the engine does not load
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    own = has_own_tables()
    if own:
        yield Finding("ok", "close_range", "each shard has a file table of its own")
    else:
        text = "the kernel refuses it: all shards share one file table"
        yield Finding("warning", "close_range", text)
    wanted = settings.limits.max_connections
    cores = len(os.sched_getaffinity(0))
    shards = settings.edge.shards or gateway.shards_for(wanted, cores, soft)
    room = int(soft * gateway.TABLE_SHARE) * (shards if own else 1)
    text = f"limit {soft} (can be raised to {hard}), {shards} shards: room for {room} connections"
    if room < wanted:
        yield Finding("error", "open files", f"{text} of {wanted}; raise it (ulimit -n)")
    else:
        yield Finding("ok", "open files", text)


def has_own_tables() -> bool:
    """Whether close_range(…, CLOSE_RANGE_UNSHARE) works here.

    Tried on no descriptor at all, in a thread that ends right after: the caller's thread would stay
    cut off from the files that other threads of this process open.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(unshare_file_table).result()


def unshare_file_table() -> bool:
    """Give the calling thread a file table of its own; False where the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    first = last = ctypes.c_uint(HIGHEST_DESCRIPTOR)
    result = libc.syscall(SYS_CLOSE_RANGE, first, last, ctypes.c_uint(CLOSE_RANGE_UNSHARE))
    return bool(result == 0)


def kernel() -> Iterator[Finding]:
    """The settings of the kernel that a busy node meets first."""
    backlog = read_number("/proc/sys/net/core/somaxconn")
    if backlog is not None and backlog < SOMAXCONN:
        text = f"{backlog}: of a storm the rest waits; sysctl net.core.somaxconn={SOMAXCONN}"
        yield Finding("warning", "somaxconn", text)
    elif backlog is not None:
        yield Finding("ok", "somaxconn", str(backlog))
    port_range = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    first, last = map(int, port_range)
    level = "ok" if last - first >= PORTS else "warning"
    text = f"{first} to {last} (what load clients and proxies on this machine can use)"
    yield Finding(level, "port range", text)


def read_number(path: str) -> int | None:
    """The number in a file of /proc, or None where it is not there."""
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return None


def room(settings: Settings) -> Iterator[Finding]:
    """Memory and the kernel's table of all open files hold as many connections as are allowed."""
    wanted = settings.limits.max_connections
    most = read_number("/proc/sys/fs/file-max")
    if most is not None and most < wanted + SPARE_FILES:
        text = f"{most} open files in all, for {wanted} connections; raise fs.file-max"
        yield Finding("error", "file-max", text)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    text = (
        f"{wanted} idle connections take {wanted * IDLE_BYTES / 2**30:.1f} GiB, mostly the kernel's"
    )
    level = "warning" if wanted * IDLE_BYTES > memory * MEMORY_SHARE else "ok"
    yield Finding(level, "memory", f"{text}; there are {memory / 2**30:.1f}")


def ports(settings: Settings) -> Iterator[Finding]:
    """The listeners' addresses are free."""
    for name, text in (("edge", settings.edge.address), ("api", settings.api.address)):
        address = parse_address(text)
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address.host, address.port))
            except OSError as error:
                yield Finding("error", name, f"{text}: {error.strerror}")
            else:
                yield Finding("ok", name, f"{text} is free")


def disk(data: Path) -> Iterator[Finding]:
    """The data directory can be written, and how long a sync takes there."""
    place = data
    while not place.exists():
        place = place.parent
    try:
        median = sync_milliseconds(place)
    except OSError as error:
        yield Finding("error", "disk", f"{place}: {error.strerror}")
        return
    if data.exists() and data.stat().st_mode & 0o077:
        yield Finding("warning", "data", f"{data} can be entered by others: chmod 700")
    text = f"a sync takes {median:.2f} ms in {place}"
    yield Finding("warning" if median > SLOW_SYNC_MS else "ok", "disk", text)


def sync_milliseconds(directory: Path) -> float:
    """The median time of appending 4 KiB and fdatasync in `directory`. Raises OSError."""
    times: list[float] = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(SYNC_ROUNDS):
            begin = time.perf_counter()
            if os.write(file.fileno(), bytes(4096)) != 4096:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times)
