"""A client by someone who has read docs/protocol.md and nothing else.

`Stranger.join(node, "ann", "phone")` dials, connects and returns when `connected` has come. From
then on a task reads the line: answers go to the caller of `call`, pushes into `pushes`, pings are
answered. Every object that arrives is checked against the shape that section 1 of the protocol
promises, whatever the test is about.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import math
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from tests.e2e import messagepack
from tests.e2e.rfc6455 import (
    BINARY,
    CLOSE,
    CONT,
    PATIENCE,
    PING,
    PONG,
    TEXT,
    Ended,
    Frame,
    Line,
    deflate,
    inflate,
)
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, ItemsView, Sequence

    from tests.node import Node

SUBPROTOCOLS = {"json": "hivewire.v1.json", "msgpack": "hivewire.v1.msgpack"}
SERVER_MESSAGE_BYTES = 512 * 1024
ANSWER_SECONDS = 20.0
"""How long a command may stay unanswered before the test fails."""

type_object = dict[str, Any]


class Closed(Exception):
    """The line is gone:

    `code` of the server's Close frame (None: cut without one), `bye` if it came.
    """

    def __init__(self, code: int | None, bye: type_object | None) -> None:
        super().__init__(f"closed with {code}, bye {bye}")
        self.code, self.bye = code, bye


class CommandFailed(AssertionError):
    """An `error` came where the test wanted an answer."""

    def __init__(self, error: type_object) -> None:
        super().__init__(str(error))
        self.error = error


class Stranger:
    """One device of one user on one connection."""

    def __init__(self, line: Line, encoding: str, *, answer_pings: bool = True) -> None:
        self.line = line
        self.encoding = encoding
        self.answer_pings = answer_pings
        self.deflate = False
        """Compress what is sent; turn it on only where it was negotiated."""
        self.deflated = 0
        """How many compressed messages have come."""
        self.connected: type_object = {}
        self.received: list[type_object] = []
        """Every object in the order of arrival, answers and pushes alike."""
        self.stray: list[type_object] = []
        """Answers that nobody asked for."""
        self.on_receive: Callable[[type_object], None] | None = None
        self.pushes: deque[type_object] = deque()
        self._arrived = asyncio.Event()
        self._answers: dict[int, asyncio.Future[type_object]] = {}
        self._ids = itertools.count(1)
        self._bye: type_object | None = None
        self._reader = asyncio.create_task(self._read())

    # -- dialling --------------------------------------------------------------------------------

    @classmethod
    async def dial(
        cls,
        node: Node,
        *,
        encoding: str = "json",
        bearer: str | None = None,
        offer: Sequence[str] | None = None,
        deflate: bool = False,
        answer_pings: bool = True,
    ) -> Self:
        """Upgrade only. `offer` replaces the list of subprotocols ([] offers none)."""
        names = [SUBPROTOCOLS[encoding]] if offer is None else list(offer)
        headers = [("Sec-WebSocket-Protocol", ", ".join(names))] if names else []
        headers += [("Authorization", f"Bearer {bearer}")] if bearer is not None else []
        if deflate:
            headers += [("Sec-WebSocket-Extensions", "permessage-deflate")]
        line = await Line.open(node.edge, headers=headers)
        return cls(line, encoding, answer_pings=answer_pings)

    @classmethod
    async def join(
        cls, node: Node, user: str, device: str = "phone", *, encoding: str = "json", **fields: Any
    ) -> Self:
        """Dial and connect with a fresh token; `fields` go into the `connect` command."""
        stranger = await cls.dial(node, encoding=encoding)
        await stranger.connect(token=token(user), device=device, **fields)
        return stranger

    async def connect(self, **fields: Any) -> type_object:
        """Send `connect`, wait for `connected` and keep it."""
        self.connected = await self.call("connect", **fields)
        assert self.connected["op"] == "connected", self.connected
        return self.connected

    # -- commands --------------------------------------------------------------------------------

    async def call(self, op: str, **fields: Any) -> type_object:
        """Send a command and return its answer; an `error` raises CommandFailed, a dead line
        Closed, silence TimeoutError.
        """
        answer = await asyncio.wait_for(self.ask(op, **fields), ANSWER_SECONDS)
        if answer["op"] == "error":
            raise CommandFailed(answer)
        return answer

    async def refused(self, op: str, **fields: Any) -> type_object:
        """Send a command that must fail and return the `error`."""
        answer = await asyncio.wait_for(self.ask(op, **fields), ANSWER_SECONDS)
        assert answer["op"] == "error", answer
        assert_error_shape(answer)
        return answer

    def ask(self, op: str, **fields: Any) -> asyncio.Future[type_object]:
        """Send a command without waiting; the future gives its answer or `error`."""
        number = fields.pop("id", None) or next(self._ids)
        self.tell(op, id=number, **fields)
        return self.expect(number)

    def expect(self, number: int) -> asyncio.Future[type_object]:
        """Return the future of the answer to the command with this `id`."""
        future = asyncio.get_running_loop().create_future()
        if self._reader.done():
            future.set_exception(Closed(*self._end()))
            future.exception()  # read, so that an answer nobody waits for makes no noise
        self._answers[number] = future
        return future

    def tell(self, op: str, **fields: Any) -> None:
        """Send one command object as it is."""
        self.write({"op": op} | fields)

    def write(self, message: Any) -> None:
        """Encode any value as one WebSocket message."""
        opcode = TEXT if self.encoding == "json" else BINARY
        as_json = self.encoding == "json"
        raw = (
            json.dumps(message, ensure_ascii=False).encode()
            if as_json
            else messagepack.pack(message)
        )
        if self.deflate:
            self.line.send(opcode, deflate(raw), rsv=4)
        else:
            self.line.send(opcode, raw)

    async def send(self, to: str, text: str, key: str, **fields: Any) -> type_object:
        """`send` a text; returns the `sent`."""
        return await self.call("send", to=to, key=key, text=text, **fields)

    async def sync(self, after: int, limit: int | None = None) -> type_object:
        """One page."""
        more = {} if limit is None else {"limit": limit}
        return await self.call("sync", after=after, **more)

    async def read_all(self, after: int = 0, limit: int = 500) -> list[type_object]:
        """Page from `after` until `done`; the events on the way."""
        events: list[type_object] = []
        while True:
            page = await self.sync(after, limit)
            events += page["events"]
            after = page["next"]
            if page["done"]:
                return events

    # -- conversations ---------------------------------------------------------------------------

    @property
    def user(self) -> str:
        """The user that the server took this line for."""
        return self.connected["user"]

    async def make_group(self, *members: str, **fields: Any) -> type_object:
        """`group.create` with these members; returns the `group`."""
        fields = {"key": key(), "kind": "group", "name": "team", "history": "all"} | fields
        return await self.call("group.create", members=list(members), **fields)

    async def history(self, conv: str, *, limit: int = 200) -> list[type_object]:
        """Page from the first event to the last; `n` has no gap on the way."""
        items: list[type_object] = []
        after = 0
        while True:
            page = await self.call("history", conv=conv, after=after, limit=limit)
            items += page["items"]
            numbers = [item["n"] for item in items]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if items else True
            if page["done"]:
                return items
            assert page["items"], "neither items nor done"
            after = numbers[-1]

    async def item(self, conv: str, n: int) -> type_object:
        """What `history` shows for one `n` now."""
        page = await self.call("history", conv=conv, after=n - 1, limit=1)
        assert [item["n"] for item in page["items"]] == [n]
        return page["items"][0]

    async def conversations(self, **fields: Any) -> list[type_object]:
        """Page through all conversations, newest first; each comes once."""
        items: list[type_object] = []
        before: type_object = {}
        while True:
            page = await self.call("conversations", **fields, **before)
            items += page["items"]
            names = [item["conv"] for item in items]
            assert len(set(names)) == len(names), names
            if page.get("next") is None:
                return items
            before = {"before": page["next"]}

    async def conversation(self, conv: str, **fields: Any) -> type_object | None:
        """What `conversations` shows for this one; None when it is not listed."""
        items = await self.conversations(**fields)
        return next((item for item in items if item["conv"] == conv), None)

    # -- pushes ----------------------------------------------------------------------------------

    async def push(self, op: str | None = None, patience: float = PATIENCE) -> type_object:
        """Return the next push (of that op: others are skipped)."""
        async with asyncio.timeout(patience):
            while True:
                while self.pushes:
                    push = self.pushes.popleft()
                    if op is None or push["op"] == op:
                        return push
                if self._reader.done():
                    raise Closed(*self._end())
                self._arrived.clear()
                await self._arrived.wait()

    async def event(self, patience: float = PATIENCE) -> type_object:
        """Return the next `event`."""
        return await self.push("event", patience)

    async def events(self, count: int) -> list[type_object]:
        """Return the next `count` events."""
        return [await self.event() for _ in range(count)]

    async def seen(
        self, op: str, *, since: int = 0, patience: float = PATIENCE, **fields: Any
    ) -> type_object:
        """Return the first push of that op with these fields, of those that came from the
        object number `since` on; takes none out of `pushes`.
        """
        await self.until(lambda: bool(self.pushed(op, since=since, **fields)), patience)
        return self.pushed(op, since=since, **fields)[0]

    async def until(self, condition: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Wait until something holds; looked at again with each push."""
        async with asyncio.timeout(patience):
            while not condition():
                if self._reader.done():
                    raise Closed(*self._end())
                self._arrived.clear()
                await self._arrived.wait()

    def pushed(self, op: str, *, since: int = 0, **fields: Any) -> list[type_object]:
        """Every push of that op with these fields that has come so far."""
        wanted = ({"op": op} | fields).items()
        return [m for m in self.received[since:] if "id" not in m and wanted <= _hashable(m)]

    async def quiet(self) -> None:
        """No event is on its way: a round trip through the node brings none."""
        await self.call("ping")
        assert not [push for push in self.pushes if push["op"] == "event"], self.pushes

    # -- the end ---------------------------------------------------------------------------------

    def over(self) -> bool:
        """The line has ended."""
        return self._reader.done()

    async def ended(self, patience: float = PATIENCE) -> Closed:
        """Wait for the end of the line; its code and `bye`."""
        await asyncio.wait_for(asyncio.shield(self._reader), patience)
        return Closed(*self._end())

    async def expect_closed(
        self, code: int | None, *, bye: bool = True, patience: float = PATIENCE
    ) -> Closed:
        """The server closes with this code, after a `bye` that says the same."""
        end = await self.ended(patience)
        assert end.code == code, end
        if bye:
            assert end.bye is not None, "no bye"
            assert_bye_shape(end.bye, code)
        else:
            assert end.bye is None, end.bye
        return end

    async def leave(self) -> None:
        """Close with 1000 and wait for the server's Close."""
        if not self._reader.done():
            self.line.close(1000)
            with contextlib.suppress(TimeoutError):
                await self.ended()
        self.line.abort()
        assert not self.stray, self.stray

    def cut(self) -> None:
        """Cut the line as a dead network does."""
        self.line.abort()
        self._reader.cancel()
        self._fail_open_calls()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    # -- the reader ------------------------------------------------------------------------------

    async def _read(self) -> int | None:
        """Read until the end; returns the code of the server's Close frame."""
        try:
            while True:
                frame = await self.line.frame(math.inf)
                if frame.opcode == CLOSE:
                    self.line.send(CLOSE, frame.payload[:2])
                    return frame.close_code
                self._take(frame)
        except (Ended, ConnectionError):
            return None
        finally:
            self._fail_open_calls()
            self._arrived.set()

    def _take(self, frame: Frame) -> None:
        if frame.opcode in (PING, PONG):
            if frame.opcode == PING:
                self.line.send(PONG, frame.payload)
            return
        message = decode(frame, self.encoding)
        self.deflated += frame.rsv == 4
        self.received.append(message)
        if self.on_receive is not None:
            self.on_receive(message)
        if message["op"] == "bye":
            self._bye = message
        elif message["op"] == "ping":
            if self.answer_pings:
                self.tell("pong")
        elif (number := message.get("id")) is not None:
            future = self._answers.pop(number, None)
            if future is None:
                self.stray.append(message)
            elif not future.done():
                future.set_result(message)
            return
        self.pushes.append(message)
        self._arrived.set()

    def _fail_open_calls(self) -> None:
        for future in self._answers.values():
            if not future.done():
                future.set_exception(Closed(*self._end()))
                future.exception()  # read, so that an answer nobody waits for makes no noise
        self._answers.clear()

    def _end(self) -> tuple[int | None, type_object | None]:
        ended = self._reader.done() and not self._reader.cancelled()
        return (self._reader.result() if ended else None), self._bye


@contextlib.asynccontextmanager
async def company(
    node: Node, name: Callable[[str], str], people: str, encoding: str = "json", **fields: Any
) -> AsyncIterator[list[Stranger]]:
    """Several users' lines: `"ann bob bob/desk"` are three, two of them one user's."""
    lines: list[Stranger] = []
    try:
        for person in people.split():
            user, _, device = person.partition("/")
            device = device or "phone"
            line = await Stranger.join(node, name(user), device, encoding=encoding, **fields)
            lines.append(line)
        yield lines
    finally:
        for line in lines:
            await line.leave()


def _hashable(message: type_object) -> ItemsView[str, Any]:
    """The plain fields of a message, to compare them as a set."""
    return {k: v for k, v in message.items() if not isinstance(v, (dict, list))}.items()


def decode(frame: Frame, encoding: str) -> type_object:
    """Decode one message of the server and check its form:

    section 1, last words of the second point.
    """
    payload = inflate(frame.payload) if frame.rsv == 4 else frame.payload
    assert frame.fin, "a server's message is unfragmented"
    assert frame.rsv in (0, 4)
    assert frame.opcode != CONT
    assert len(payload) <= SERVER_MESSAGE_BYTES
    if encoding == "json":
        assert frame.opcode == TEXT, "text was agreed"
        message = json.loads(payload)
        compact = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
        assert compact == payload.decode(), f"not compact: {payload[:200]!r}"
    else:
        assert frame.opcode == BINARY, "binary was agreed"
        message = messagepack.unpack(payload)
    assert isinstance(message, dict), "exactly one object"
    names = list(message)
    assert names[0] == "op", names
    for leader in ("id", "seq"):
        assert leader not in names or message["op"] == "ok" or names[1] in ("id", "seq"), names
    return message


def assert_error_shape(error: type_object) -> None:
    """Section 3: code of the list, words, and whether it may succeed later."""
    assert error["code"] in ERROR_CODES, error
    assert isinstance(error["message"], str)
    assert error["message"]
    assert isinstance(error["retryable"], bool)
    assert isinstance(error.get("field", ""), str)
    if error["code"] == "rate_limited":
        assert error["retryable"]
        assert error["retry_after_ms"] > 0


def assert_bye_shape(bye: type_object, code: int | None) -> None:
    """Section 8: the bye tells the code and whether to come back, and when."""
    assert bye["code"] == code
    assert isinstance(bye["reason"], str)
    assert bye["reason"]
    assert bye["reconnect"] is (code is not None and code < 4500), bye
    assert bye["delay_ms"] >= 0


ERROR_CODES = frozenset(
    {
        "bad_request",
        "unauthorized",
        "forbidden",
        "not_found",
        "conflict",
        "too_large",
        "rate_limited",
        "unavailable",
        "internal",
        "unsupported",
    }
)


def now_ms() -> int:
    """Milliseconds since the Unix epoch, as the protocol counts time."""
    return int(time.time() * 1000)


def key(hint: str = "") -> str:
    """Return a fresh key of a change (of 8 to 64 characters)."""
    return f"k-{hint}{time.time_ns():x}-{next(_keys)}"


_keys = itertools.count(1)
