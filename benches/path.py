"""The Python share of a durable direct message, stage by stage, on the real store.

One thread, no sockets: batches of sends as the engine would hand them over go through decode,
plan, apply, write, sync and release, and what would be submitted is thrown away. CPU times are
nanoseconds a message on this machine; the split is what matters.

    python benches/path.py [--messages 200000] [--batch 200] [--users 1000]
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from hivewire.core.decode import decode_frame
from hivewire.core.plan import plan_send
from hivewire.core.view import View
from hivewire.delivery import Caller, Delivery, Ops
from hivewire.metrics import Metrics
from hivewire.store.journal import Journal, ManualCommitter
from hivewire.store.rocks import Rocks

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = "x" * 100


class Sink:
    """Takes what is submitted and counts it."""

    def __init__(self) -> None:
        self.ops = 0

    def submit(self, ops: list[tuple[Any, ...]]) -> int:
        """Count them."""
        self.ops += len(ops)
        return self.ops


class Stages:
    """Adds up where the time goes."""

    def __init__(self) -> None:
        self.ns: dict[str, int] = {}
        self._at = time.thread_time_ns()

    def begin(self) -> None:
        """Start the clock."""
        self._at = time.thread_time_ns()

    def end(self, stage: str) -> None:
        """What has passed belongs to `stage`; the clock starts again."""
        now = time.thread_time_ns()
        self.ns[stage] = self.ns.get(stage, 0) + now - self._at
        self._at = now


def frames(users: int, batch: int) -> Iterator[list[tuple[str, bytes]]]:
    """Batches of (sender, frame): each user writes to its neighbour in turn."""
    number = 0
    while True:
        rows: list[tuple[str, bytes]] = []
        for _ in range(batch):
            sender = number % users
            key = f"k{number:012d}"
            command = {
                "op": "send",
                "id": number % 4_000_000_000 + 1,
                "to": f"user:u{sender ^ 1:06d}",
            }
            frame = msgspec.json.encode(command | {"key": key, "text": TEXT})
            rows.append((f"u{sender:06d}", frame))
            number += 1
        yield rows


def run(directory: Path, messages: int, batch: int, users: int) -> dict[str, float]:
    """Send `messages` through the path; nanoseconds a message by stage."""
    store, sink, stages = Rocks.open(directory), Sink(), Stages()
    view, committer = View(store), ManualCommitter()
    delivery = Delivery(sink, Ops(*range(len(Ops._fields))), view, Metrics())
    delivery.journal = journal = Journal(
        store,
        committer,
        release=delivery.release,
        fatal=fail,
        payload=delivery.owe,
        bound=10_000,
    )
    batches = frames(users, batch)
    for _ in range(messages // batch):
        rows = next(batches)
        stages.begin()
        work = [
            (Caller(at, user, "phone", 0, None), decode_frame(frame, 0)[0])
            for at, (user, frame) in enumerate(rows, 1)
        ]
        stages.end("decode")
        view.preload_keys([(caller.user, command.key) for caller, command in work])
        stages.end("keys")
        for caller, command in work:
            planned = plan_send(command, caller.user, caller.device, view, 1_700_000_000_000)
            delivery.send(planned, command.id, caller)
        stages.end("plan and apply")
        journal.commit()
        stages.end("write")
        store.sync()
        stages.end("sync")
        while committer.step():
            pass
        stages.end("release")
    store.close()
    # One op tells both users of a message.
    assert sink.ops == (messages // batch) * batch, sink.ops
    return {stage: ns / messages for stage, ns in stages.ns.items()}


def fail(error: BaseException) -> None:
    """The store failed: so does the bench."""
    raise error


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--users", type=int, default=1_000)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="hivewire-path-", dir="."))
    try:
        split = run(directory / "data", options.messages, options.batch, options.users)
    finally:
        shutil.rmtree(directory)
    for stage, ns in split.items():
        print(f"{stage:15} {ns:8.0f} ns")
    print(f"{'all':15} {sum(split.values()):8.0f} ns")


if __name__ == "__main__":
    main()
