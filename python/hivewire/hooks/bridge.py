"""An application on a node: what handlers ask of it, and what it is told.

Questions (`authenticate`, `greet`, `screen`) come back through a callback, between two turns of the
node; whoever asks holds its own connection meanwhile and nothing else. Notices (`released`,
`closed`) are queued and wait for nobody.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from hivewire.auth import Identity
from hivewire.auth.identity import is_id
from hivewire.core.entries import SendEntry
from hivewire.core.events import Message as MessageBody
from hivewire.hooks.feed import Feed
from hivewire.hooks.runner import Runner
from hivewire.hooks.values import Event, Message

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from hivewire.config import Settings
    from hivewire.delivery import Owed
    from hivewire.hooks.application import App, Authenticate, OnConnect
    from hivewire.hooks.runner import Outcome
    from hivewire.hooks.sender import NodeSender
    from hivewire.hooks.values import Credentials, Session
    from hivewire.metrics import Metrics

    Settled = Callable[[Outcome], None]

IDENTITY_SECONDS: Final = 24 * 3600
"""How long an identity holds that does not say so itself."""
LAST_EXPIRY: Final = (1 << 53) - 1
"""Protocol, section 2: what every client can count to."""


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
        self._app.sender = self._sender
        for hook in self._app.start_hooks:
            try:
                await hook()
            except Exception as error:
                raise RuntimeError("on_start failed: the node does not start") from error

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

    def authenticate(self, credentials: Credentials, now_s: int, settled: Settled) -> None:
        """Ask who somebody is: the outcome's value is an `auth.Identity`, or None for nobody."""
        hook = self._app.authenticator
        if hook is None:
            raise ValueError("the application does not authenticate")
        self._ask("authenticate", _identify(hook, credentials, now_s), self._connect_ms, settled)

    def greet(self, session: Session, settled: Settled) -> None:
        """Ask whether a device may connect."""
        work = _greet(self._app.connect_hooks, session)
        self._ask("on_connect", work, self._connect_ms, settled)

    def screen(self, message: Message, settled: Settled) -> None:
        """Ask what becomes of a message: the outcome's value is the message to store."""
        self._ask("on_send", _screen(self._app.send_hooks, message), None, settled)

    def fail(self, name: str, what: str) -> Outcome:
        """The outcome of a hook that gave back what cannot be used."""
        return self._questions.fail(name, what)

    def _ask(
        self, name: str, work: Coroutine[Any, Any, Any], timeout_ms: int | None, settled: Settled
    ) -> None:
        if self._questions.is_full:
            settled(self._questions.refuse(name, work))
            return

        def answer(outcome: Outcome) -> None:
            self._act(partial(settled, outcome))

        self._questions.start(name, work, answer, timeout_ms)

    # -- notices ----------------------------------------------------------------------------------

    def released(self, owed: Owed) -> None:
        """A group of entries is durable and was shown. Raises nothing: the journal is waiting."""
        try:
            for entry in owed.entries:
                if isinstance(entry, SendEntry):
                    self._happened(_body(entry), entry.members)
                else:
                    for part in entry.parts:
                        self._happened(part.body, part.members)
        except Exception as error:  # noqa: BLE001 - a notice is worth less than the node
            self._notices.tell("on_event", "an event could not be told", error)

    def _happened(self, body: object, members: Iterable[tuple[str, int]]) -> None:
        """Tell of one event; `members` are those into whose timelines it went."""
        app, devices = self._app, self._devices
        # A copy in the words of the wire: it is the application's to change.
        event = Event.of(msgspec.to_builtins(body))
        if app.event_hooks:
            told = [("on_event", partial(_tell, hook, event)) for hook in app.event_hooks]
            self._events.put(event.conv, told)
        if not app.offline_hooks:
            return
        for user, _ in members:
            if user != event.sender and not devices(user):
                told = [
                    ("on_offline", partial(_tell, hook, event, user)) for hook in app.offline_hooks
                ]
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
            hooks = self._app.disconnect_hooks
            told = [("on_disconnect", partial(_tell, hook, session, code)) for hook in hooks]
            self._endings.put(session.user, told)

    def _dropped(self, name: str) -> None:
        self._metrics.hooks[name, "dropped"] += 1
        self._notices.tell(name, "the queue of the hooks is full: a notice was dropped")


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
