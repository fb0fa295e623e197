"""Where a message's time goes: `perf record` on the node under load, by thread and layer.

Samples are classed by the object that the processor was in; the kernel's share belongs to the
thread that called it. Alone: `profile_server.py PID [SECONDS]`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from figures import ONE_SHARD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from processes import Tools

FREQUENCY: Final = "1499"
SECONDS: Final = 5.0
TOP: Final = 15
LAYERS: Final = ("kernel", "engine", "Python", "RocksDB", "libc", "other")
# The first pattern that an object's path matches names its layer.
OBJECTS: Final = (
    (re.compile(r"\[kernel|\[guest|\[vdso\]|^\[k"), "kernel"),
    (re.compile(r"hivewire.*\.so"), "engine"),
    (re.compile(r"rocksdict.*\.so"), "RocksDB"),
    (re.compile(r"python|msgspec|uvloop|_ctypes|site-packages|lib-dynload"), "Python"),
    (re.compile(r"libc[.-]|libm[.-]|libstdc|libgcc|ld-linux|libpthread|libcrypto|libz"), "libc"),
)
SAMPLE: Final = re.compile(
    r"^\s*(?P<name>.*?)\s+(?P<pid>\d+)/(?P<tid>\d+)\s+"
    r"[0-9a-f]+ (?P<symbol>.*) \((?P<object>[^()]*)\)$"
)


@dataclass
class Profile:
    """Samples by (thread, layer) and by (layer, symbol)."""

    shares: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    symbols: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])

    @property
    def total(self) -> int:
        """How many samples there are."""
        return self.shares.total()


def layer(path: str) -> str:
    """The layer that an object belongs to."""
    return next((name for pattern, name in OBJECTS if pattern.search(path)), "other")


def read(lines: Iterable[str]) -> Profile:
    """Class the lines of `perf script -F comm,pid,tid,ip,sym,dso`."""
    profile = Profile()
    for line in lines:
        found = SAMPLE.match(line)
        if found is None:
            continue
        where = layer(found["object"])
        thread = re.sub(r"[-:]?\d+$", "", found["name"])
        if thread == "hivewire":
            # Python's threads all have the process's name; the first one runs the loop.
            thread = "loop" if found["pid"] == found["tid"] else "committer"
        profile.shares[thread, where] += 1
        profile.symbols[where, found["symbol"].partition("+0x")[0]] += 1
    return profile


def record(pid: int, seconds: float) -> Profile:
    """Watch a process for so long."""
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "perf.data")
        options = ["-q", "-F", FREQUENCY, "-o", data, "-p", str(pid)]
        command = ["perf", "record", *options, "--", "sleep", str(seconds)]
        subprocess.run(command, check=True, capture_output=True)
        script = ["perf", "script", "-i", data, "-F", "comm,pid,tid,ip,sym,dso"]
        text = subprocess.run(script, check=True, capture_output=True, text=True, errors="replace")
    return read(text.stdout.splitlines())


def table(profile: Profile) -> str:
    """Percentages by thread and layer, and the symbols on top."""
    threads = Counter[str]()
    for (thread, _), count in profile.shares.items():
        threads[thread] += count
    total = profile.total or 1
    rows = [f"| thread | {' | '.join(LAYERS)} | all |", "|---" * (len(LAYERS) + 2) + "|"]
    for thread, count in threads.most_common():
        if count * 200 < total:
            continue
        cells = [f"{100 * profile.shares[thread, name] / total:.1f}" for name in LAYERS]
        rows.append(f"| {thread} | {' | '.join(cells)} | {100 * count / total:.1f} |")
    sums = [sum(profile.shares[thread, name] for thread in threads) for name in LAYERS]
    cells = [f"**{100 * count / total:.1f}**" for count in sums]
    rows += [
        f"| **all** | {' | '.join(cells)} | 100 |",
        "",
        "| % | layer | symbol |",
        "|---|---|---|",
    ]
    for (where, symbol), count in profile.symbols.most_common(TOP):
        rows.append(f"| {100 * count / total:.1f} | {where} | `{symbol[:80]}` |")
    return "\n".join(rows) + "\n"


def sections(tools: Tools) -> list[str]:
    """The report's part: a node under the message load, with one and with eight in flight."""
    if shutil.which("perf") is None:
        return ["## Where the time goes\n\n`perf` is not installed (Debian: linux-perf).\n"]
    parts = ["## Where the time goes\n\nPercent of the server's samples (`perf record`).\n"]
    for in_flight in (1, 8):
        try:
            text = table(_under_load(tools, in_flight))
        except subprocess.CalledProcessError as error:
            text = f"perf failed: {error.stderr}\n"
        parts.append(f"### Messages, {in_flight} in flight\n\n{text}")
    return parts


def _under_load(tools: Tools, in_flight: int) -> Profile:
    data = tools.work / "profile"
    shutil.rmtree(data, ignore_errors=True)
    words = ["messages", "-n", "1000", "-w", str(in_flight), "--bytes", "100", "--warm", "0"]
    with (
        tools.serve_node(data, **ONE_SHARD) as server,
        tools.swarm_holding(server, *words, "--seconds", str(SECONDS + 4)),
    ):
        # The fleet stands after a second or two.
        subprocess.run(["sleep", "3"], check=True)
        return record(server.pid, SECONDS)


if __name__ == "__main__":
    print(table(record(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS)))
