"""`App`: where an application registers its hooks, and through which it sends.

A module with an `App` in it is run by `hivewire serve MODULE:OBJECT`. Each hook is an `async def`;
what it gets and may do stands in docs/hooks.md.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from hivewire.hooks.values import Credentials, Event, Identity, Message, Session

if TYPE_CHECKING:
    from hivewire.hooks.values import Sent

Authenticate = Callable[[Credentials], Awaitable[Identity | None]]
OnConnect = Callable[[Session], Awaitable[None]]
OnDisconnect = Callable[[Session, int], Awaitable[None]]
OnSend = Callable[[Message], Awaitable[Message | None]]
OnEvent = Callable[[Event], Awaitable[None]]
OnOffline = Callable[[Event, str], Awaitable[None]]
OnStart = Callable[[], Awaitable[None]]

Hook = TypeVar("Hook", bound=Callable[..., Awaitable[Any]])
A = TypeVar("A", bound=Authenticate)
C = TypeVar("C", bound=OnConnect)
D = TypeVar("D", bound=OnDisconnect)
M = TypeVar("M", bound=OnSend)
E = TypeVar("E", bound=OnEvent)
O = TypeVar("O", bound=OnOffline)  # noqa: E741 - one letter each
S = TypeVar("S", bound=OnStart)


class Sender(Protocol):
    """What carries out `App.send`: the node that serves the application."""

    async def send(self, sender: str, to: str, key: str | None, body: dict[str, Any]) -> Sent:
        """Store a message; return when it is durable. Raises NotSent."""
        ...


class App:
    """An application's hooks.

        app = hivewire.App()

        @app.on_send
        async def polite(message: hivewire.Message) -> None:
            if message.text and "damn" in message.text:
                raise hivewire.Refuse("mind your words")

    There is one `authenticate`; of each other kind there may be several, called one after another
    in the order in which they were registered.
    """

    def __init__(self) -> None:
        self.authenticator: Authenticate | None = None
        self.connect_hooks: list[OnConnect] = []
        self.disconnect_hooks: list[OnDisconnect] = []
        self.send_hooks: list[OnSend] = []
        self.event_hooks: list[OnEvent] = []
        self.offline_hooks: list[OnOffline] = []
        self.start_hooks: list[OnStart] = []
        self.stop_hooks: list[OnStart] = []
        self.sender: Sender | None = None
        """The node, while one serves the application."""

    def authenticate(self, hook: A) -> A:
        """Decorate: `async def (credentials: Credentials) -> Identity | None`.

        Instead of the check of JWTs: says who a token is for; None refuses it (4500).
        """
        if self.authenticator is not None:
            raise ValueError("an application has one `authenticate`")
        self.authenticator = _checked(hook)
        return hook

    def on_connect(self, hook: C) -> C:
        """Decorate: `async def (session: Session) -> None`.

        Before a device is connected; `raise Refuse("why")` closes with 4507.
        """
        self.connect_hooks.append(_checked(hook))
        return hook

    def on_disconnect(self, hook: D) -> D:
        """Decorate: `async def (session: Session, code: int) -> None`.

        After a connection has ended; `code` is its close code, 1006 for one that was cut.
        """
        self.disconnect_hooks.append(_checked(hook))
        return hook

    def on_send(self, hook: M) -> M:
        """Decorate: `async def (message: Message) -> Message | None`.

        Before a client's message or edit is stored: may change it, in place or by returning
        another, or `raise Refuse("why")`.
        """
        self.send_hooks.append(_checked(hook))
        return hook

    def on_event(self, hook: E) -> E:
        """Decorate: `async def (event: Event) -> None`.

        After an event is durable, in order in each conversation.
        """
        self.event_hooks.append(_checked(hook))
        return hook

    def on_offline(self, hook: O) -> O:
        """Decorate: `async def (event: Event, user: str) -> None`.

        After an event is durable, for each member but its sender who has no device connected.
        """
        self.offline_hooks.append(_checked(hook))
        return hook

    def on_start(self, hook: S) -> S:
        """Decorate: `async def () -> None`, before the node accepts its first connection.

        `send` works from here on. An exception ends the node.
        """
        self.start_hooks.append(_checked(hook))
        return hook

    def on_stop(self, hook: S) -> S:
        """Decorate: `async def () -> None`, when the node has drained; `send` still works."""
        self.stop_hooks.append(_checked(hook))
        return hook

    async def send(
        self,
        from_: str,
        to: str,
        *,
        text: str | None = None,
        media: list[str] | None = None,
        data: dict[str, Any] | None = None,
        reply_to: int | None = None,
        mentions: list[str] | None = None,
        key: str | None = None,
    ) -> Sent:
        """Send a message as any user; return when it is on stable storage.

        It goes the way of a client's `send`, but past `on_send` and the limits of rates. Only from
        the node's own event loop, which is where hooks run.

        Args:
            from_: who sends it; any well-formed user id.
            to: `user:B`, `direct:A,B`, `group:G` or `channel:C`.
            text: up to 16 KiB.
            media: ids of uploads.
            data: an object up to 16 KiB.
            reply_to: the `n` of the message that this one answers.
            mentions: user ids.
            key: the same key sends the same message at most once, for ever. Without one each call
                is a new message.

        Raises:
            NotSent: it was refused; nothing is stored.
            RuntimeError: no node serves the application.
        """
        if self.sender is None:
            raise RuntimeError(
                "no node serves this application: run `hivewire serve MODULE:OBJECT`"
            )
        body = {
            "text": text,
            "media": media,
            "data": data,
            "reply_to": reply_to,
            "mentions": mentions,
        }
        return await self.sender.send(from_, to, key, body)


def _checked(hook: Hook) -> Hook:
    """The hook, if calling it gives something to await."""
    given: object = hook
    called = given if inspect.isroutine(given) else getattr(given, "__call__", given)  # noqa: B004
    if not inspect.iscoroutinefunction(called):
        raise TypeError(f"a hook is an `async def`, {given!r} is not")
    return hook
