"""An application on a node: what handlers ask of it, and what it is told.

Questions (`authenticate`, `greet`, `screen`) come back through a callback, between two turns of the
node; whoever asks holds its own connection meanwhile and nothing else. Notices (`released`,
`closed`) are queued and wait for nobody.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from hivewire.auth import Identity
from hivewire.auth.identity import is_id
from hivewire.core.entries import SendEntry
from hivewire.core.events import Message as MessageBody
from hivewire.following import connection_id
from hivewire.hooks.feed import Feed
from hivewire.hooks.runner import Runner
from hivewire.hooks.values import Event, Message, Session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence

    from hivewire.config import Settings
    from hivewire.delivery import Caller, Owed
    from hivewire.hooks.application import App, Authenticate, OnConnect, Sender
    from hivewire.hooks.feed import Notice
    from hivewire.hooks.runner import Outcome
    from hivewire.hooks.sender import NodeSender
    from hivewire.hooks.values import Credentials
    from hivewire.metrics import Metrics

    Settled = Callable[[Outcome], None]

IDENTITY_SECONDS: Final = 24 * 3600
"""How long an identity holds that does not say so itself."""
LAST_EXPIRY: Final = (1 << 53) - 1
"""Protocol, section 2: what every client can count to."""


class Unfinished(NamedTuple):
    """What an application leaves to the one that follows it."""

    sessions: dict[int, tuple[str, str, str, dict[str, Any]]]
    """By connection: user, device, id, and the application's own `state`."""
    events: list[tuple[str, str, int, list[Any]]]
    """Notices that wait: lane, kind, place among the hooks of that kind, arguments."""
    endings: list[tuple[str, str, int, list[Any]]]


class Bridge:
    """One application on one node. Loop thread only.

    Args:
        app: The application.
        settings: The node's.
        loop: Runs the hooks.
        metrics: Where to count.
        act: Does something between two turns of the node.
        devices: Names the devices with which a user is connected.
        sender: Carries out `App.send`.
    """

    def __init__(
        self,
        app: App,
        settings: Settings,
        *,
        loop: asyncio.AbstractEventLoop,
        metrics: Metrics,
        act: Callable[[Callable[[], None]], None],
        devices: Callable[[str], list[str]],
        sender: NodeSender,
    ) -> None:
        self._app = app
        self._act = act
        self._devices = devices
        self._sender = sender
        self._metrics = metrics
        hooks, limits = settings.hooks, settings.limits
        timeout, workers, queue = hooks.timeout, hooks.workers, hooks.queue
        self._questions = Runner(loop, metrics, timeout_ms=timeout, bound=hooks.concurrency)
        self._notices = Runner(loop, metrics, timeout_ms=timeout, bound=2 * workers)
        self._events = Feed(self._notices, bound=queue, workers=workers, dropped=self._dropped)
        # All connections that there are may end at once.
        endings = max(limits.max_connections, queue)
        self._endings = Feed(self._notices, bound=endings, workers=workers, dropped=self._dropped)
        self.in_hand: dict[tuple[str, str], list[Callable[[], None]]] = {}
        """By (user, key): messages that the application judges, and what waits for each."""
        self._sessions: dict[int, Session] = {}
        """By connection; only for applications that greet or hear of endings."""
        # `authenticate` and `on_connect` of one line must end before the engine gives it up.
        self._connect_ms = min(timeout, limits.opening_time * 2 // 5)
        self.authenticates = app.authenticator is not None
        self.greets = bool(app.connect_hooks)
        self.screens = bool(app.send_hooks)
        self.observes = bool(app.event_hooks or app.offline_hooks)
        self.keeps_sessions = bool(app.connect_hooks or app.disconnect_hooks)

    async def start(self) -> None:
        """From now on the application may send; run its `on_start`. Raises RuntimeError."""
        await begin(self._app, self._sender)

    async def finish(self) -> None:
        """Run `on_stop`: everything was told, and what it sends is still stored."""
        for hook in self._app.stop_hooks:
            await self._notices.call("on_stop", _tell(hook))

    async def stop(self) -> None:
        """Let go of everything; nothing is answered any more."""
        await self._questions.stop()
        await self._notices.stop()
        self._sender.stop()
        if self._app.sender is self._sender:
            self._app.sender = None

    # -- another application takes over -----------------------------------------------------------

    @property
    def sender(self) -> NodeSender:
        """What carries out `App.send` on this node."""
        return self._sender

    def hold(self) -> None:
        """Begin no more notices."""
        self._events.hold()
        self._endings.hold()

    @property
    def is_asked(self) -> bool:
        """Whether somebody waits for an answer of the application, or it for one of the node."""
        return not (self._questions.is_idle and self._sender.is_idle)

    def hand_over(self) -> Unfinished:
        """What the next application has to know and to be told. Nothing is settled any more."""
        self._questions.give_up()
        sessions = {
            conn: (session.user, session.device, session.id, session.state)
            for conn, session in self._sessions.items()
        }
        events, endings = ([_moved(row) for row in feed.rest()] for feed in self._feeds)
        return Unfinished(sessions, events, endings)

    def take_over(self, left: Unfinished, here: Iterable[tuple[int, str, str]]) -> None:
        """Go on with what another application left; `here` is who is connected.

        A notice that waits is told by the hook of the same kind in the same place; without one
        nobody is told.
        """
        self._app.sender = self._sender
        if self.keeps_sessions:
            for conn, user, device in here:
                known = left.sessions.get(conn) or (user, device, connection_id(conn), {})
                self._sessions[conn] = Session(*known)
        for feed, rows in zip(self._feeds, left[1:], strict=True):
            for lane, name, place, arguments in rows:
                hooks = self._hooks[name]
                if place < len(hooks):
                    told = _Told(hooks[place], place, tuple(map(_revived, arguments)))
                    feed.put(lane, [(name, told)])

    async def retire(self, sender: NodeSender | None) -> None:
        """The last of an application whose place another has taken: its notices, its `on_stop`."""
        self._app.sender = sender
        while not self._notices.is_idle:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
        await self.finish()
        self._app.sender = None
        await self._notices.stop()

    @property
    def _feeds(self) -> tuple[Feed, Feed]:
        return self._events, self._endings

    @property
    def _hooks(self) -> dict[str, Sequence[Callable[..., Awaitable[None]]]]:
        """The hooks that are told something, by kind."""
        app = self._app
        return {
            "on_event": app.event_hooks,
            "on_offline": app.offline_hooks,
            "on_disconnect": app.disconnect_hooks,
        }

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for the application, and it has heard of everything."""
        return (
            self._questions.is_idle
            and self._events.is_idle
            and self._endings.is_idle
            and self._sender.is_idle
        )

    def figures(self) -> dict[str, int]:
        """What `/metrics` shows at this moment."""
        return {
            "under_way": self._questions.under_way + self._notices.under_way,
            "waiting": self._events.waiting + self._endings.waiting,
            "sessions": len(self._sessions),
        }

    # -- questions --------------------------------------------------------------------------------

    def authenticate(
        self, credentials: Credentials, now_s: int, settled: Settled, caller: Caller | None = None
    ) -> None:
        """Ask who somebody is: the outcome's value is an `auth.Identity`, or None for nobody."""
        hook = self._app.authenticator
        if hook is None:
            raise ValueError("the application does not authenticate")
        work = _identify(hook, credentials, now_s)
        self._ask("authenticate", work, self._connect_ms, settled, (caller,))

    def greet(self, session: Session, settled: Settled) -> None:
        """Ask whether a device may connect."""
        work = _greet(self._app.connect_hooks, session)
        self._ask("on_connect", work, self._connect_ms, settled, (session,))

    def screen(self, message: Message, settled: Settled, caller: Caller | None = None) -> None:
        """Ask what becomes of a message: the outcome's value is the message to store."""
        work = _screen(self._app.send_hooks, message)
        self._ask("on_send", work, None, settled, (message, caller))

    def fail(self, name: str, what: str, *about: object) -> Outcome:
        """The outcome of a hook that gave back what cannot be used."""
        return self._questions.fail(name, what, about)

    def _ask(
        self,
        name: str,
        work: Coroutine[Any, Any, Any],
        timeout_ms: int | None,
        settled: Settled,
        about: Sequence[object],
    ) -> None:
        if self._questions.is_full:
            settled(self._questions.refuse(name, work))
            return

        def answer(outcome: Outcome) -> None:
            self._act(partial(settled, outcome))

        self._questions.start(name, work, answer, timeout_ms, about=about)

    # -- notices ----------------------------------------------------------------------------------

    def released(self, owed: Owed) -> None:
        """A group of entries is durable and was shown. Raises nothing: the journal is waiting."""
        for entry in owed.entries:
            try:
                if isinstance(entry, SendEntry):
                    self._happened(_body(entry), entry.members)
                else:
                    for part in entry.parts:
                        self._happened(part.body, part.members)
            except Exception as error:  # noqa: BLE001 - a notice is worth less than the node
                self._notices.tell("on_event", "an event could not be told", error, (entry,))

    def _happened(self, body: object, members: Iterable[tuple[str, int]]) -> None:
        """Tell of one event; `members` are those into whose timelines it went."""
        app, devices = self._app, self._devices
        # A copy in the words of the wire: it is the application's to change.
        event = Event.of(msgspec.to_builtins(body))
        if app.event_hooks:
            self._events.put(event.conv, _notices("on_event", app.event_hooks, event))
        if not app.offline_hooks:
            return
        for user, _ in members:
            if user != event.sender and not devices(user):
                told = _notices("on_offline", app.offline_hooks, event, user)
                self._events.put(f"user:{user}", told)

    def opened(self, conn: int, session: Session) -> None:
        """A device is being connected; from now on its end will be told."""
        self._sessions[conn] = session

    def session(self, conn: int) -> Session | None:
        """The session on a connection, if the application keeps them."""
        return self._sessions.get(conn)

    def closed(self, conn: int, code: int) -> None:
        """A connection has ended."""
        session = self._sessions.pop(conn, None)
        if session is not None and self._app.disconnect_hooks:
            told = _notices("on_disconnect", self._app.disconnect_hooks, session, code)
            self._endings.put(session.user, told)

    def _dropped(self, name: str, about: Sequence[object]) -> None:
        self._metrics.hooks[name, "dropped"] += 1
        what = "the queue of the hooks is full: a notice was dropped"
        self._notices.tell(name, what, about=about)


async def _identify(hook: Authenticate, credentials: Credentials, now_s: int) -> Identity | None:
    """What `authenticate` says, in the node's terms. Raises ValueError for what is no identity."""
    found = await hook(credentials)
    if found is None:
        return None
    if not is_id(found.user) or not (found.device is None or is_id(found.device)):
        raise ValueError(f"not well-formed ids: {found.user!r}, {found.device!r}")
    expires = now_s + IDENTITY_SECONDS if found.expires is None else int(found.expires)
    return Identity(found.user, found.device, min(expires, LAST_EXPIRY))


async def _greet(hooks: list[OnConnect], session: Session) -> None:
    for hook in hooks:
        await hook(session)


async def _screen(
    hooks: Iterable[Callable[[Message], Awaitable[object]]], message: Message
) -> Message:
    for hook in hooks:
        changed = await hook(message)
        if changed is None:
            continue
        if not isinstance(changed, Message):
            raise TypeError(f"on_send gives a Message or None, not {type(changed).__name__}")
        message = changed
    return message


async def _tell(hook: Callable[..., Awaitable[None]], *arguments: object) -> None:
    await hook(*arguments)


class _Told:
    """A call of a hook that has not begun."""

    __slots__ = ("arguments", "hook", "place")

    def __init__(
        self, hook: Callable[..., Awaitable[None]], place: int, arguments: tuple[Any, ...]
    ) -> None:
        self.hook = hook
        self.place = place
        """Among the hooks of its kind."""
        self.arguments = arguments

    def __call__(self) -> Coroutine[Any, Any, None]:
        return _tell(self.hook, *self.arguments)


def _notices(
    name: str, hooks: Sequence[Callable[..., Awaitable[None]]], *arguments: object
) -> list[Notice]:
    return [(name, _Told(hook, place, arguments)) for place, hook in enumerate(hooks)]


def _moved(row: tuple[str, Notice]) -> tuple[str, str, int, list[Any]]:
    """A notice that waits, in a form that does not depend on the classes of this version."""
    lane, (name, told) = row
    if not isinstance(told, _Told):
        raise TypeError(f"{name} waits as {type(told).__name__}")
    return lane, name, told.place, list(map(_portable, told.arguments))


def _portable(argument: object) -> object:
    if isinstance(argument, Event):
        return {"event": argument.body}
    if isinstance(argument, Session):
        return {"session": (argument.user, argument.device, argument.id, argument.state)}
    return argument


def _revived(argument: str | int | dict[str, Any]) -> object:
    if isinstance(argument, str | int):
        return argument
    return Event.of(argument["event"]) if "event" in argument else Session(*argument["session"])


async def begin(app: App, sender: Sender) -> None:
    """Let an application send, and run its `on_start`. Raises RuntimeError."""
    app.sender = sender
    for hook in app.start_hooks:
        try:
            await hook()
        except Exception as error:
            raise RuntimeError("on_start failed") from error


def _body(entry: SendEntry) -> MessageBody:
    return MessageBody(
        entry.conv,
        entry.n,
        entry.user,
        entry.key,
        entry.ts,
        entry.text,
        entry.media,
        entry.data,
        entry.reply_to,
        entry.mentions,
    )
