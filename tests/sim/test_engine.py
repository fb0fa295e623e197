"""The simulated engine does what the real one does: the same ops, and each line hears the same."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hivewire.core.commands import JSON, MSGPACK
from hivewire.gateway import CLOSE_CODES, OPS, Engine, EngineSettings, _engine
from tests.e2e.rfc6455 import BINARY, CLOSE, TEXT, Line
from tests.sim.engine import SimEngine
from tests.sim.loop import NodeLoop, S, Schedule
from tests.sim.network import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LINES = 5
STEPS = 60
SUBPROTOCOLS = ("hivewire.v1.json", "hivewire.v1.msgpack")
OPCODES = (TEXT, BINARY)
QUIET = (60_000, 60_000, False)
USERS = (("ann", "phone"), ("ann", "desk"), ("bob", "phone"), ("bob", "phone"), ("cat", "phone"))
"""Who connects on which line: the fourth replaces the third."""
ENCODINGS = (JSON, MSGPACK, JSON, JSON, MSGPACK)
"""What each line speaks."""
TOPICS = ("news", "sport")
END = {"op": "end"}
SETTINGS = EngineSettings(address="127.0.0.1:0", shards=2)

Op = tuple[Any, ...]
Object = dict[str, Any]
Heard = list[Object | int]
"""Objects, and the code of the Close."""
ENCODE = (msgspec.json.encode, msgspec.msgpack.encode)
DECODE = (msgspec.json.decode, msgspec.msgpack.decode)


def script(seed: int, conns: list[int]) -> Iterator[Op]:
    """Ops as a node may submit them; the last one tells each line that this was all."""
    rng = random.Random(seed)
    waiting, opened = list(range(LINES)), list[int]()
    seqs = dict.fromkeys(("ann", "bob", "cat"), 0)
    for step in range(STEPS):
        if waiting and (not opened or rng.random() < 0.2):
            opened.append(waiting.pop(0))
            conn, (user, device) = conns[opened[-1]], USERS[opened[-1]]
            live, hello = rng.random() < 0.7, for_line(opened[-1], {"op": "connected"})
            yield (OPS.connected, conn, hello, user, device, seqs[user], live, 0, *QUIET)
        else:
            yield _any_op(rng, step, conns, opened, seqs)
    for line, conn in enumerate(conns):
        yield OPS.send, conn, for_line(line, END)


def for_line(line: int, message: Object) -> bytes:
    return ENCODE[ENCODINGS[line]](message)


def _any_op(
    rng: random.Random, step: int, conns: list[int], opened: list[int], seqs: dict[str, int]
) -> Op:
    line = rng.choice(opened)
    conn, user = conns[line], USERS[line][0]
    said = {"n": step, "text": "x" * rng.choice((1, 600))}
    body, own = msgspec.json.encode(said), for_line(line, said)
    # Without a twin, now and then: who speaks MessagePack is closed rather than given a hole.
    twin = None if rng.random() < 0.03 else msgspec.msgpack.encode(said)
    origin = rng.randrange(LINES)
    answer = for_line(origin, {"op": "sent", "step": step})
    topic, volatile = rng.choice(TOPICS), rng.random() < 0.5

    def event(members: list[str]) -> Op:
        for member in members:
            seqs[member] += 1
        places = tuple((member, seqs[member]) for member in members)
        told = (body, twin, conns[origin], answer) if volatile else (body, twin, 0, None)
        if len(places) == 1:
            return OPS.event, *places[0], *told
        return OPS.events, places, *told

    return rng.choice(
        (
            lambda: event([user]),
            lambda: event(["ann", "bob"]),
            lambda: event(["cat", "bob", "ann"]),
            lambda: (OPS.send, conn, own),
            lambda: (OPS.volatile, conn, own),
            lambda: (OPS.push, user, body, twin, volatile),
            lambda: (OPS.syncing, conn, user),
            lambda: (OPS.page, conn, user, own, seqs[user], volatile),
            lambda: (OPS.subscribe, conn, topic),
            lambda: (OPS.unsubscribe, conn, topic),
            lambda: (OPS.subscribe_user, user, topic),
            lambda: (OPS.unsubscribe_user, user, topic),
            lambda: (OPS.publish, topic, body, twin, volatile),
            lambda: (OPS.pong, conn, step),
            lambda: (OPS.heartbeat, conn, own, *QUIET),
            lambda: (
                (OPS.close, conn, CLOSE_CODES["FORBIDDEN"], "no", 0)
                if step > STEPS // 2 and rng.random() < 0.2
                else (OPS.notify, conn)
            ),
        )
    )()


# -- the real one ---------------------------------------------------------------------------------


async def really(seed: int) -> list[Heard]:
    engine = Engine(SETTINGS)
    try:
        address = engine.listen()
        offers = [[("Sec-WebSocket-Protocol", SUBPROTOCOLS[speaks])] for speaks in ENCODINGS]
        lines = [await Line.open(address, headers=offer) for offer in offers]
        conns = [
            await conn_of(engine, line, OPCODES[ENCODINGS[at]]) for at, line in enumerate(lines)
        ]
        for op in script(seed, conns):
            engine.submit([op])
        return [await listen(line, DECODE[ENCODINGS[at]]) for at, line in enumerate(lines)]
    finally:
        engine.stop()


async def conn_of(engine: Engine, line: Line, opcode: int) -> int:
    """The number of the connection behind a line on which nothing was said yet."""
    loop, rung = asyncio.get_running_loop(), asyncio.Event()
    line.send(opcode, b"hello")
    loop.add_reader(engine.fileno(), rung.set)
    try:
        async with asyncio.timeout(5):
            while not (items := engine.take(100)[1]):
                rung.clear()
                await rung.wait()
    finally:
        loop.remove_reader(engine.fileno())
    ((_, conn, *_),) = items
    return int(conn)


async def listen(line: Line, decode: Callable[[bytes], Object]) -> Heard:
    heard: Heard = []
    while True:
        frame = await line.frame()
        if frame.opcode == CLOSE:
            return [*heard, frame.close_code or 0]
        message = decode(frame.payload)
        if message == END:
            return heard
        heard.append(message)


# -- the simulated one ----------------------------------------------------------------------------


class Listener:
    def __init__(self, encoding: int) -> None:
        self.heard: Heard = []
        self._decode = DECODE[encoding]

    def receive(self, frame: bytes) -> None:
        message = self._decode(frame)
        if message != END:
            self.heard.append(message)

    def lost(self, code: int) -> None:
        self.heard.append(code)


def simulated(seed: int) -> list[Heard]:
    schedule = Schedule(seed)
    engine = SimEngine(schedule, NodeLoop(schedule), SETTINGS)
    engine.listen()
    listeners = [Listener(encoding) for encoding in ENCODINGS]
    wires = [Wire(schedule, listener, 1_000_000) for listener in listeners]
    assert all(map(engine.accept, wires, ENCODINGS))
    for op in script(seed, list(engine.lines)):
        engine.submit([op])
    schedule.run_for(S)
    return [listener.heard for listener in listeners]


@pytest.mark.parametrize("seed", range(30))
async def test_each_line_hears_the_same_from_both(seed: int) -> None:
    assert simulated(seed) == await really(seed)


def test_every_op_has_its_part() -> None:
    engine = SimEngine(Schedule(1), NodeLoop(Schedule(1)), SETTINGS)
    names = ("SEND", "PONG", *(name.upper() for name in OPS._fields))
    assert {getattr(_engine, name) for name in names} <= set(engine.does)
