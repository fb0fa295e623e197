"""Play one seed again and tell what its devices saw: `python -m tests.sim.replay SEED [USER]`."""

from __future__ import annotations

import sys
from dataclasses import fields
from typing import TYPE_CHECKING

from tests.sim.world import judge, simulate

if TYPE_CHECKING:
    from tests.chaos.history import Record

HEAD = ("at", "line", "user", "device")


def tell(record: Record) -> str:
    """One record in one line: virtual milliseconds, line, device, what."""
    rest = [f"{f.name}={getattr(record, f.name)}" for f in fields(record) if f.name not in HEAD]
    who = f"{record.user}/{record.device}" if record.user else "-"
    return f"{record.at / 1e6:11.3f} {record.line:3} {who} {type(record).__name__} {' '.join(rest)}"


def main(seed: int, user: str = "") -> int:
    """Print the history and the verdict. Returns the exit status."""
    run = simulate(seed, linger=True)
    for record in run.history:
        if not user or record.user in (user, ""):
            sys.stdout.write(f"{tell(record)}\n")
    broken = judge(run)
    sys.stdout.write(
        f"seed {seed}: trace {run.trace}, {run.seconds:.1f} virtual seconds, {dict(run.counts)}\n"
    )
    sys.stdout.write("\n".join(broken) or "nothing lost, nothing twice, everything in order")
    sys.stdout.write("\n")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:3]))
