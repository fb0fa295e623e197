"""Where a message's time goes: `perf record` on the node under load, by thread and layer.

Samples are classed by the object that the processor was in; the kernel's share belongs to the
thread that called it. Alone: `profile_server.py --figures group channel` starts a node and its load
for each of them, `profile_server.py --pid PID` looks at a process that runs.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chat_figures import CHANNEL_LOAD, COMEBACK_LOAD, COMEBACK_SETTINGS, GROUP_LOAD, SYNC_LOAD
from figure import ONE_SHARD, fresh
from figures import FIGURES, MESSAGES_LOAD
from processes import BenchError, Tools, await_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FREQUENCY: Final = "1499"
SECONDS: Final = 5.0
TOP: Final = 15
STANDING_SECONDS: Final = 300.0
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


@dataclass(frozen=True)
class Load:
    """What is put on a node while it is watched."""

    title: str
    words: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=lambda: ONE_SHARD)
    """Of the node."""
    begins: str = "measuring"
    """The line of the swarm after which to watch."""
    seconds: float = SECONDS
    """How long to watch."""


# A loop goes on for longer than it is watched; a job is watched for less than it takes.
LOOP: Final = ("--warm", "2", "--seconds", str(SECONDS + 2))
LOADS: Final = {
    "messages": Load("Messages, 1 in flight", (*MESSAGES_LOAD, "-w", "1", *LOOP)),
    "messages8": Load("Messages, 8 in flight", (*MESSAGES_LOAD, "-w", "8", *LOOP)),
    "group": Load("Groups of 100", (*GROUP_LOAD, *LOOP)),
    "channel": Load("A channel with 10,000 readers", (*CHANNEL_LOAD, *LOOP)),
    # Those who were away come back when what they missed has been written.
    "sync": Load("Sync of 1,000 missed events", SYNC_LOAD, begins="coming back", seconds=1),
    "comeback": Load(
        "50,000 users come back", COMEBACK_LOAD, COMEBACK_SETTINGS, begins="coming back", seconds=4
    ),
}


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


def sections(tools: Tools, figures: Sequence[str]) -> list[str]:
    """The report's part: a node under the load of each of these figures that has one here."""
    if shutil.which("perf") is None:
        return ["## Where the time goes\n\n`perf` is not installed (Debian: linux-perf).\n"]
    parts = ["## Where the time goes\n\nPercent of the server's samples (`perf record`).\n"]
    for load in (LOADS[name] for name in figures if name in LOADS):
        try:
            text = table(_under_load(tools, load))
        except (BenchError, subprocess.CalledProcessError) as error:
            text = f"perf failed: {getattr(error, 'stderr', error)}\n"
        parts.append(f"### {load.title}\n\n{text}")
    return parts if len(parts) > 1 else []


def _under_load(tools: Tools, load: Load) -> Profile:
    with (
        tools.serve_node(fresh(tools.work / "profile"), **load.settings) as server,
        tools.swarm_holding(server, *load.words) as swarm,
    ):
        await_line(swarm.stdout, load.begins, STANDING_SECONDS)
        return record(server.pid, load.seconds)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--pid", type=int, help="a process that runs")
    names = [figure.name for figure in FIGURES if figure.name in LOADS]
    what.add_argument(
        "--figures", nargs="+", choices=names, metavar="FIGURE", help=", ".join(names)
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long to watch --pid")
    options = parser.parse_args()
    if options.pid is not None:
        print(table(record(options.pid, options.seconds)))
    else:
        work = Path(tempfile.mkdtemp(prefix="profile-", dir=Path(__file__).parent / "results"))
        try:
            print("\n".join(sections(Tools.find(work), options.figures)))
        finally:
            shutil.rmtree(work)


if __name__ == "__main__":
    main()
