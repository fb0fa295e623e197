"""Registering hooks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from hivewire.hooks.application import App

if TYPE_CHECKING:
    import hivewire


async def hook(*_: object) -> None:
    """A hook of any kind."""


def test_a_decorated_function_stays_what_it_is() -> None:
    app = App()
    for decorate in (
        app.authenticate,
        *(app.on_connect, app.on_disconnect, app.on_send, app.on_event, app.on_offline),
        *(app.on_start, app.on_stop),
    ):
        assert decorate(hook) is hook


def test_hooks_are_kept_in_the_order_of_their_registration() -> None:
    app = App()

    @app.on_event
    async def first(_: hivewire.Event) -> None: ...

    @app.on_event
    async def second(_: hivewire.Event) -> None: ...

    assert app.event_hooks == [first, second]


def test_there_is_one_that_authenticates() -> None:
    app = App()
    app.authenticate(hook)
    with pytest.raises(ValueError, match="one `authenticate`"):
        app.authenticate(hook)


def test_a_hook_must_be_async() -> None:
    def plain(_: object) -> None: ...

    for given in (plain, print, 7):
        with pytest.raises(TypeError, match="async def"):
            App().on_event(given)


def test_an_object_or_a_method_may_be_a_hook() -> None:
    class Log:
        async def __call__(self, _: object) -> None: ...

        async def write(self, _: object) -> None: ...

    app = App()
    app.on_event(Log())
    app.on_event(Log().write)
    assert len(app.event_hooks) == 2


def test_it_cannot_send_while_nothing_serves_it() -> None:
    with pytest.raises(RuntimeError, match="no node serves"):
        asyncio.run(App().send("bot", "user:ann", text="hi"))


def test_send_hands_over_the_whole_body() -> None:
    app = App()
    asked: list[tuple[object, ...]] = []

    class Node:
        async def send(self, *arguments: object) -> None:
            asked.append(arguments)

    app.sender = Node()  # type: ignore[assignment]
    asyncio.run(app.send("bot", "group:g", text="hi", mentions=["ann"], key="k-0000001"))
    body = {"text": "hi", "media": None, "data": None, "reply_to": None, "mentions": ["ann"]}
    assert asked == [("bot", "group:g", "k-0000001", body)]
