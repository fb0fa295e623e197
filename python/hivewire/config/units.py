"""How settings are written down: durations like `250ms`, sizes like `64KiB`, shares like `25%`.

Inside the program a duration is an `int` of milliseconds and a size an `int` of bytes. A number
without a unit is refused for durations, because seconds and milliseconds are both common guesses.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_MILLISECONDS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

_SIZE: Final = re.compile(r"(\d+)(B|[KMG](?:iB)?)?")
_BYTES: Final = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

_SHARE: Final = re.compile(r"(\d{1,3})%")
_CGROUP_LIMITS: Final = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def parse_duration(text: object) -> int:
    """`250ms`, `20s`, `1.5h`, `7d` or `0` → milliseconds. Raises ValueError."""
    if text in (0, "0"):
        return 0
    match = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError("not a duration: write it like 250ms, 20s, 5m, 24h or 7d")
    return round(float(match[1]) * _MILLISECONDS[match[2]])


def parse_size(text: object) -> int:
    """`65536`, `64KiB`, `16M` (all powers of 1024) → bytes. Raises ValueError."""
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    match = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError("not a size: write it like 512, 64KiB, 16MiB or 2GiB")
    return int(match[1]) * _BYTES[(match[2] or "").removesuffix("iB")]


def parse_memory(text: object) -> int:
    """A size, or a share of this machine's memory such as `25%` → bytes. Raises ValueError."""
    match = _SHARE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return parse_size(text)
    share = int(match[1])
    if not 0 < share <= 100:
        raise ValueError("not a share of the memory: write 1% to 100%")
    return memory_bytes() * share // 100


def memory_bytes() -> int:
    """The memory this process may use, in bytes: the container's limit, else the machine's."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _CGROUP_LIMITS:
        try:
            limit = path.read_text().strip()
        except OSError:
            continue
        if limit.isdecimal():
            return min(machine, int(limit))
    return machine


def format_duration(milliseconds: int) -> str:
    """The shortest spelling that `parse_duration` reads back: 20000 → `20s`."""
    for unit in ("d", "h", "m", "s"):
        if milliseconds and milliseconds % _MILLISECONDS[unit] == 0:
            return f"{milliseconds // _MILLISECONDS[unit]}{unit}"
    return f"{milliseconds}ms"


def format_size(count: int) -> str:
    """The shortest spelling that `parse_size` reads back: 65536 → `64KiB`."""
    for unit in ("G", "M", "K"):
        if count and count % _BYTES[unit] == 0:
            return f"{count // _BYTES[unit]}{unit}iB"
    return f"{count}B"


Duration = Annotated[
    int, BeforeValidator(parse_duration), PlainSerializer(format_duration, when_used="json")
]
Size = Annotated[int, BeforeValidator(parse_size), PlainSerializer(format_size, when_used="json")]
Memory = Annotated[
    int, BeforeValidator(parse_memory), PlainSerializer(format_size, when_used="json")
]
