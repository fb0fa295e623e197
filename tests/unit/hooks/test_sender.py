"""Messages of the application: the same plan, the same rows, durable before it hears."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from hivewire.core.commands import CommandError, Edit, Send
from hivewire.hooks import App, NotSent
from hivewire.hooks.sender import checked
from tests.unit.hooks.node import HookedDriver

KEY = "01JD8ZK3V6P0Q2R4S6T8V0X2Z4"


async def started(**sections: Any) -> tuple[HookedDriver, App]:
    app = App()
    driver = HookedDriver(app, **sections)
    await driver.bridge.start()
    return driver, app


async def test_I1_I2_it_hears_when_its_message_is_durable_and_the_members_do_too() -> None:
    driver, app = await started()
    ann = driver.open("ann")
    task = asyncio.create_task(app.send("bot", "user:ann", text="hi", key=KEY))
    assert await driver.think() == []
    assert not task.done()
    (told, to_bot) = driver.sync()
    assert (told.user, told.seq, told.body["from"], told.body["text"]) == ("ann", 1, "bot", "hi")
    assert (to_bot.user, to_bot.answer) == ("bot", None), "there is no line to answer to"
    sent = await task
    assert (sent.conv, sent.n, sent.seq, sent.dup) == ("direct:ann,bot", 1, 1, False)
    assert sent.ts == driver.clock.ms
    assert ann.asks("sync", after=0)["events"][0]["key"] == KEY


async def test_I4_the_same_key_is_one_message() -> None:
    driver, app = await started()
    first = asyncio.create_task(app.send("bot", "user:ann", text="hi", key=KEY))
    second = asyncio.create_task(app.send("bot", "user:ann", text="hi", key=KEY))
    await driver.think()
    assert not second.done()
    driver.settle()
    assert [(await task).n for task in (first, second)] == [1, 1]
    assert [(await task).dup for task in (first, second)] == [False, True]
    third = asyncio.create_task(app.send("bot", "user:ann", text="hi", key=KEY))
    await driver.rest()
    assert (await third).dup


async def test_another_message_under_a_used_key_is_a_conflict() -> None:
    driver, app = await started()
    first = asyncio.create_task(app.send("bot", "user:ann", text="hi", key=KEY))
    await driver.rest()
    await first
    with pytest.raises(NotSent) as failed:
        await app.send("bot", "user:ann", text="other", key=KEY)
    assert failed.value.code == "conflict"


async def test_without_a_key_each_is_another_message() -> None:
    driver, app = await started()
    tasks = [asyncio.create_task(app.send("bot", "user:ann", text="hi")) for _ in range(3)]
    await driver.rest()
    sents = [await task for task in tasks]
    assert [sent.n for sent in sents] == [1, 2, 3]
    assert len({sent.key for sent in sents}) == 3


@pytest.mark.parametrize(
    ("sender", "to", "body", "field"),
    [
        ("two words", "user:ann", {"text": "hi"}, "from"),
        ("bot", "ann", {"text": "hi"}, "to"),
        ("bot", "user:ann", {}, "text"),
        ("bot", "user:ann", {"text": "hi", "key": "short"}, "key"),
        ("bot", "user:ann", {"text": 7}, None),
        ("bot", "user:ann", {"text": "\ud800"}, None),
        ("bot", "user:ann", {"data": {"x": object()}}, None),
        ("bot", "user:ann", {"text": "hi", "reply_to": 4}, "reply_to"),
    ],
)
async def test_what_a_client_could_not_send_it_cannot_either(sender, to, body, field) -> None:
    driver, app = await started()
    with pytest.raises(NotSent) as failed:
        await app.send(sender, to, **body)
    assert failed.value.field == field
    assert driver.journal.is_idle


async def test_where_it_does_not_belong_it_may_not_send() -> None:
    _, app = await started()
    for to in ("direct:ann,bob", "group:none"):
        with pytest.raises(NotSent) as failed:
            await app.send("bot", to, text="hi")
        assert failed.value.code == "forbidden"


async def test_as_a_member_it_sends_to_groups_and_channels() -> None:
    driver, app = await started()
    ann = driver.open("ann")
    for number, kind in enumerate(("group", "channel")):
        key = f"make-it-{number}"
        made = ann.asks("group.create", key=key, kind=kind, name="t", members=["bot"])
        task = asyncio.create_task(app.send("bot", made["conv"], text="hi"))
        await driver.rest()
        sent = await task
        assert (sent.conv, sent.n) == (made["conv"], made["head"] + 1)
        assert (sent.seq is None) == (kind == "channel")
        last = ann.asks("history", conv=made["conv"])["items"][-1]
        assert (last["from"], last["text"]) == ("bot", "hi")


async def test_I8_it_is_refused_when_too_much_waits_for_the_disk() -> None:
    driver, app = await started(limits={"commit_queue": 1})
    first = asyncio.create_task(app.send("bot", "user:ann", text="1"))
    await driver.think()
    second = asyncio.create_task(app.send("bot", "user:ann", text="2"))
    await driver.think()
    with pytest.raises(NotSent) as failed:
        await app.send("bot", "user:ann", text="3")
    assert (failed.value.code, failed.value.retryable) == ("unavailable", True)
    await driver.rest()
    await first
    await second


async def test_when_the_node_ends_nobody_waits_on() -> None:
    driver, app = await started()
    task = asyncio.create_task(app.send("bot", "user:ann", text="hi"))
    await driver.think()
    assert not driver.bridge.is_idle
    await driver.bridge.stop()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(RuntimeError):
        await app.send("bot", "user:ann", text="hi")


def test_a_command_of_its_own_making_is_held_to_the_limits() -> None:
    good = checked(Send, {"id": 7, "to": "user:ann", "key": KEY, "text": "hi"})
    assert isinstance(good, Send)
    assert (good.id, good.text) == (7, "hi")
    long = checked(Send, {"id": 7, "to": "user:ann", "key": KEY, "text": "x" * 16_385})
    assert isinstance(long, CommandError)
    assert long.code == "too_large"
    empty = checked(Edit, {"id": 7, "conv": "group:g", "n": 1, "key": KEY, "text": ""})
    assert isinstance(empty, CommandError)
    assert empty.field == "text"


def test_what_it_holds_is_what_json_holds() -> None:
    when = datetime(2026, 11, 22, tzinfo=UTC)
    fields = {"id": 7, "to": "user:ann", "key": KEY, "data": {"when": when, "pair": (1, 2)}}
    command = checked(Send, fields)
    assert isinstance(command, Send)
    assert command.data == {"when": "2026-11-22T00:00:00Z", "pair": [1, 2]}
