"""`make bench-peers`: other servers beside hivewire; writes docs/peers.md and its plots.

Needs an idle machine with two cores. A round takes every server through every work; a peer that
cannot be had is left out, and the page says why. `--crowd 1000 --seconds 1` shows that it works.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import machine
from peers import (
    ejabberd,
    floor,
    gobwas,
    hivewire,
    mosquitto,
    nats,
    page,
    picows,
    socketio,
    uwebsockets,
    websockets,
)
from peers.measure import measure
from peers.peer import CACHE, NotHad, Peer
from peers.works import Work, works
from processes import BenchError, Tools

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peers.plots import Results

ALL: Final = (
    floor.PEER,
    hivewire.ENGINE,
    hivewire.NODE,
    uwebsockets.PEER,
    picows.PEER,
    websockets.PEER,
    socketio.PEER,
    gobwas.PEER,
    mosquitto.PEER,
    ejabberd.PEER,
    nats.CORE,
    nats.JET_STREAM,
)
CROWD: Final = 10_000
DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
# A peer that was too slow for a crowd is not asked again.
CROWDED: Final = frozenset({"idle", "connect", "fanout"})


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds over all servers (3)")
    parser.add_argument("--crowd", type=int, default=CROWD, help=f"many connections ({CROWD})")
    parser.add_argument("--seconds", type=float, default=2.0, help="measured window (2)")
    minutes = "begin no measurement after so many minutes"
    parser.add_argument("--minutes", type=float, default=float("inf"), help=minutes)
    names, kinds = [peer.name for peer in ALL], [work.name for work in works(CROWD, 2)]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="PEER")
    parser.add_argument("--works", nargs="+", choices=kinds, default=kinds, metavar="WORK")
    parser.add_argument("--output", type=Path, help="folder of page and plots (docs)")
    return parser.parse_args()


def available(names: list[str], missing: dict[str, str]) -> Iterator[Peer]:
    """The peers that can be had; why the others cannot goes into `missing`."""
    for peer in ALL:
        if peer.name not in names:
            continue
        try:
            peer.install()
        except NotHad as why:
            missing[peer.name] = str(why)
            print(f"skipped: {peer.name}: {why}", flush=True)
        else:
            yield peer


def run(options: argparse.Namespace, tools: Tools, missing: dict[str, str]) -> Results:
    """All rounds; what was measured, by work and peer."""
    peers = list(available(options.only, missing))
    chosen = [one for one in works(options.crowd, options.seconds) if one.name in options.works]
    results: Results = {work.name: {} for work in chosen}
    deadline = time.monotonic() + options.minutes * 60
    for number in range(1, options.rounds + 1):
        for peer in peers:
            print(f"round {number}/{options.rounds} {peer.name}", flush=True)
            for work in suited(peer, chosen, missing):
                late = time.monotonic() > deadline
                if late:
                    missing.setdefault(f"{peer.name}, {work.title}", "the time was over")
                too_many = work.kind in CROWDED and f"{peer.name}, crowd" in missing
                sample = None if late or too_many else attempt(tools, peer, work, missing)
                if sample is not None:
                    results[work.name].setdefault(peer.name, []).append(sample)
    return results


def suited(peer: Peer, chosen: list[Work], missing: dict[str, str]) -> Iterator[Work]:
    """The works that a peer is able to do; a smaller crowd is told of."""
    for work in chosen:
        if work.kind not in peer.works:
            continue
        if peer.most is not None and work.connections > peer.most:
            if work.kind in ("idle", "messages"):  # a slope or rate of few tells nothing
                why = f"it has {peer.most} connections at most"
                missing[f"{peer.name}, {work.title}"] = why
                continue
            why = f"measured with {peer.most} connections: more come too slowly"
            missing[f"{peer.name}, {work.title}"] = why
        yield work


def attempt(tools: Tools, peer: Peer, work: Work, missing: dict[str, str]) -> dict[str, Any] | None:
    """One measurement; None with a word why when it failed."""
    began = time.monotonic()
    try:
        sample = measure(tools, peer, work)
    except BenchError as error:
        slow = work.kind in CROWDED and time.monotonic() - began > 30
        missing[f"{peer.name}, crowd" if slow else f"{peer.name}, {work.title}"] = str(error)
        print(f"    {work.name}: {error}", flush=True)
        return None
    took = time.monotonic() - began
    rate = f", {sample['rate']:,.0f}/s" if "rate" in sample else ""
    print(f"    {work.name}: {sample['value']:.4g} {work.unit}{rate} ({took:.0f} s)", flush=True)
    return sample


def main() -> int:
    """0 when hivewire was measured everywhere."""
    options = arguments()
    try:
        tools = Tools.find(CACHE.parent / "peers-work")
    except BenchError as error:
        print(error, file=sys.stderr)
        return 2
    problems = machine.tune()
    about = machine.describe() | ({"kernel settings": "; ".join(problems)} if problems else {})
    missing = dict[str, str]()
    results = run(options, tools, missing)
    chosen = [one for one in works(options.crowd, options.seconds) if one.name in results]
    keeps = {peer.name: peer.keeps for peer in ALL if peer.keeps}
    output = options.output or DOCS
    output.mkdir(parents=True, exist_ok=True)
    (CACHE.parent / "peers.json").write_text(
        json.dumps({"machine": about, "results": results, "missing": missing}, indent=1)
    )
    page.write(output, page.Run(about, chosen, results, missing, keeps))
    shutil.rmtree(tools.work, ignore_errors=True)
    print(f"written: {output / 'peers.md'}")
    own = (hivewire.ENGINE.name, hivewire.NODE.name)
    return int(not all(any(name in of for name in own) for of in results.values()))


if __name__ == "__main__":
    sys.exit(main())
