"""What an application is told, and when; what it costs where there is nothing to tell."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from hivewire.hooks import App, Event
from tests.unit.hooks.node import HookedDriver


class Diary:
    """An application that writes down what it is told."""

    def __init__(self) -> None:
        self.app = App()
        self.app.on_event(self.event)
        self.app.on_offline(self.offline)
        self.events: list[Event] = []
        self.missed: list[tuple[str, int, str]] = []
        self.hold: asyncio.Event | None = None

    async def event(self, event: Event) -> None:
        if self.hold is not None:
            await self.hold.wait()
        self.events.append(event)

    async def offline(self, event: Event, user: str) -> None:
        self.missed.append((event.conv, event.n, user))


async def test_I2_an_event_is_told_once_it_is_durable() -> None:
    diary = Diary()
    driver = HookedDriver(diary.app)
    ann = driver.open("ann")
    ann.says("send", to="user:bob", key="k-0000001", data={"x": [1]}, mentions=["bob"])
    driver.turn()
    await driver.think()
    assert diary.events == []
    driver.sync()
    await driver.think()
    (event,) = diary.events
    assert (event.type, event.conv, event.n) == ("message", "direct:ann,bob", 1)
    assert (event.sender, event.data, event.mentions) == ("ann", {"x": [1]}, ["bob"])
    assert event.body["from"] == "ann"
    assert "text" not in event.body


async def test_each_event_is_told_once_and_in_order() -> None:
    diary = Diary()
    driver = HookedDriver(diary.app)
    ann, bob = driver.open("ann"), driver.open("bob")
    for number in range(5):
        ann.sends("bob", f"a{number}", key=f"key-a-{number:05}")
        bob.sends("ann", f"b{number}", key=f"key-b-{number:05}")
        ann.sends("cat", f"c{number}", key=f"key-c-{number:05}")
    ann.sends("bob", "a0", key="key-a-00000")
    await driver.rest()
    told = [(event.conv, event.n) for event in diary.events]
    assert [n for conv, n in told if conv == "direct:ann,bob"] == list(range(1, 11))
    assert [n for conv, n in told if conv == "direct:ann,cat"] == [1, 2, 3, 4, 5]


async def test_who_is_offline_is_named_but_not_the_sender() -> None:
    diary = Diary()
    driver = HookedDriver(diary.app)
    ann = driver.open("ann")
    ann.sends("bob", key="k-0000001")
    await driver.rest()
    bob = driver.open("bob")
    ann.sends("bob", key="k-0000002")
    await driver.rest()
    bob.closed()
    ann.sends("bob", key="k-0000003")
    await driver.rest()
    assert diary.missed == [("direct:ann,bob", 1, "bob"), ("direct:ann,bob", 3, "bob")]


async def test_an_application_changes_only_its_own_copy() -> None:
    app = App()

    @app.on_event
    async def scribble(event: Event) -> None:
        event.body["text"] = "mine"
        event.body["data"]["x"].append(2)

    driver = HookedDriver(app)
    ann = driver.open("ann")
    ann.says("send", to="user:ann", key="k-0000001", text="hi", data={"x": [1]})
    await driver.rest()
    (kept,) = ann.asks("sync", after=0)["events"]
    assert (kept["text"], kept["data"]) == ("hi", {"x": [1]})


async def test_a_slow_hook_holds_up_neither_answers_nor_other_conversations() -> None:
    diary = Diary()
    diary.hold = asyncio.Event()
    driver = HookedDriver(diary.app)
    ann = driver.open("ann")
    for number in range(3):
        assert ann.asks("send", to="user:bob", key=f"k-000000{number}", text="x")["op"] == "sent"
    await driver.think()
    assert diary.events == []
    assert not driver.bridge.is_idle
    diary.hold.set()
    await driver.rest()
    assert [event.n for event in diary.events] == [1, 2, 3]
    assert driver.bridge.is_idle


async def test_I8_what_finds_no_room_is_dropped_counted_and_logged() -> None:
    diary = Diary()
    diary.hold = asyncio.Event()
    driver = HookedDriver(diary.app, hooks={"queue": 2, "workers": 1})
    ann = driver.open("ann")
    with structlog.testing.capture_logs() as logs:
        for number in range(6):
            ann.sends("ann", key=f"k-000000{number}")
        await driver.rest()
    (line,) = logs
    assert (line["hook"], line["conv"], line["n"]) == ("on_event", "direct:ann,ann", 4)
    assert driver.bridge.figures()["waiting"] == 2
    diary.hold.set()
    await driver.rest()
    assert [event.n for event in diary.events] == [1, 2, 3]
    assert driver.metrics.hooks["on_event", "dropped"] == 3


async def test_an_event_that_cannot_be_told_is_named_and_keeps_back_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    diary = Diary()
    driver = HookedDriver(diary.app)
    ann = driver.open("ann")
    calls: list[str] = []

    def fails_once(user: str) -> list[str]:
        calls.append(user)
        if len(calls) == 1:
            raise OSError("no")
        return []

    monkeypatch.setattr(driver.bridge, "_devices", fails_once)
    with structlog.testing.capture_logs() as logs:
        for number, to in enumerate(("bob", "cat")):
            ann.sends(to, key=f"k-000000{number}")
        await driver.rest()
    (line,) = logs
    assert (line["event"], line["hook"]) == ("an event could not be told", "on_event")
    assert (line["conv"], line["n"], line["key"]) == ("direct:ann,bob", 1, "k-0000000")
    assert (line["user"], line["device"]) == ("ann", "phone")
    assert diary.missed == [("direct:ann,cat", 1, "cat")]


async def test_the_figures_of_a_scrape() -> None:
    diary = Diary()
    driver = HookedDriver(diary.app)
    driver.metrics.application = driver.bridge.figures
    driver.open("ann").sends("bob")
    await driver.rest()
    page = driver.metrics.render().decode()
    assert 'hivewire_hooks_total{hook="on_event",result="ok"} 1.0' in page
    assert "hivewire_hooks_under_way 0.0" in page


async def test_edits_and_the_like_are_told_as_clients_get_them() -> None:
    diary = Diary()
    driver = HookedDriver(diary.app)
    ann = driver.open("ann")
    ann.asks("send", to="user:bob", key="k-0000001", text="hi")
    ann.asks("edit", conv="direct:ann,bob", n=1, key="k-0000002", text="ho")
    await driver.rest()
    _, edit = diary.events
    assert (edit.type, edit.n, edit.target, edit.text) == ("edit", 2, 1, "ho")
    assert diary.missed == [("direct:ann,bob", 1, "bob"), ("direct:ann,bob", 2, "bob")]


async def test_what_cannot_be_told_does_not_stop_the_node() -> None:
    diary = Diary()
    driver = HookedDriver(diary.app)
    driver.bridge._devices = lambda _: 1 // 0
    ann = driver.open("ann")
    with structlog.testing.capture_logs() as logs:
        assert ann.asks("send", to="user:bob", key="k-0000001", text="hi")["op"] == "sent"
    assert len(logs) == 1
    assert driver.failures == []


class TestStartAndStop:
    async def test_it_may_send_from_on_start_to_on_stop(self) -> None:
        app = App()
        said: list[int] = []

        @app.on_start
        async def hello() -> None:
            said.append((await app.send("bot", "user:ann", text="hello")).n)

        @app.on_stop
        async def bye() -> None:
            said.append((await app.send("bot", "user:ann", text="bye")).n)

        driver = HookedDriver(app)
        task = asyncio.create_task(driver.bridge.start())
        await driver.rest()
        await task
        task = asyncio.create_task(driver.bridge.finish())
        await driver.rest()
        await task
        assert said == [1, 2]
        await driver.bridge.stop()
        assert app.sender is None

    async def test_what_fails_at_the_start_stops_the_start(self) -> None:
        app = App()

        @app.on_start
        async def fails() -> None:
            raise OSError("no database")

        driver = HookedDriver(app)
        with pytest.raises(RuntimeError, match="on_start failed"):
            await driver.bridge.start()

    async def test_what_fails_or_hangs_at_the_end_does_not(self) -> None:
        app = App()

        @app.on_stop
        async def fails() -> None:
            raise OSError("no database")

        @app.on_stop
        async def hangs() -> None:
            await asyncio.Event().wait()

        driver = HookedDriver(app, hooks={"timeout": "10ms"})
        with structlog.testing.capture_logs():
            await driver.bridge.finish()
        assert driver.metrics.hooks == {("on_stop", "failed"): 1, ("on_stop", "timeout"): 1}


async def test_an_application_without_hooks_is_asked_nothing() -> None:
    driver = HookedDriver(App())
    bridge = driver.bridge
    assert not (bridge.authenticates or bridge.greets or bridge.screens)
    assert not (bridge.observes or bridge.keeps_sessions)
    ann = driver.open("ann")
    assert ann.asks("send", to="user:bob", key="k-0000001", text="x")["op"] == "sent"
    assert driver.metrics.hooks == {}
