"""`on_send`: the application has the word on what is new, and only on that."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog

from hivewire.hooks import App, Message, Refuse
from tests.unit.hooks.node import HookedDriver

from .driver import Told, bodies

KEY = "01JD8ZK3V6P0Q2R4S6T8V0X2Z4"


class Judge:
    """An application that decides when it is told to."""

    def __init__(self) -> None:
        self.app = App()
        self.app.on_send(self.think)
        self.seen: list[Message] = []
        self.words: list[asyncio.Future[Any]] = []

    async def think(self, message: Message) -> Message | None:
        self.seen.append(message)
        word = asyncio.get_running_loop().create_future()
        self.words.append(word)
        return await word

    def says(self, at: int, word: Message | None = None) -> None:
        self.words[at].set_result(word)

    def refuses(self, at: int, refusal: Exception) -> None:
        self.words[at].set_exception(refusal)


def texts(told: list[Told]) -> list[str]:
    return [one.body["text"] for one in told if one.kind == "event"]


async def test_I1_I2_a_message_waits_for_the_word_and_then_for_the_disk() -> None:
    judge = Judge()
    driver = HookedDriver(judge.app)
    ann = driver.open("ann")
    number = ann.sends("bob", "hi", key=KEY)
    assert driver.settle() == []
    assert await driver.think() == []
    (seen,) = judge.seen
    assert (seen.sender, seen.device, seen.conv) == ("ann", "phone", "direct:ann,bob")
    assert (seen.text, seen.key, seen.edit_of, seen.session) == ("hi", KEY, None, None)
    judge.says(0)
    assert await driver.think() == [], "not before the sync"
    told = driver.sync()
    assert [body["id"] for body in bodies(told)] == [number]
    assert texts(told) == ["hi", "hi"]


async def test_what_it_changes_in_place_is_stored() -> None:
    app = App()

    @app.on_send
    async def polite(message: Message) -> None:
        assert message.text is not None
        message.text = message.text.replace("damn", "****")
        message.mentions = ["bob"]

    driver = HookedDriver(app)
    driver.open("ann").sends("bob", "damn it")
    told = await driver.rest()
    assert texts(told) == ["**** it", "**** it"]
    assert told[0].body["mentions"] == ["bob"]


async def test_what_it_returns_is_stored_and_goes_to_the_next_hook() -> None:
    app = App()

    @app.on_send
    async def other(message: Message) -> Message:
        return Message(message.sender, message.device, message.conv, message.key, "other")

    @app.on_send
    async def louder(message: Message) -> None:
        message.text = f"{message.text}!"

    driver = HookedDriver(app)
    driver.open("ann").sends("bob", "hi")
    assert texts(await driver.rest()) == ["other!", "other!"]


async def test_a_refusal_is_answered_and_leaves_the_key_unused() -> None:
    judge = Judge()
    driver = HookedDriver(judge.app)
    ann = driver.open("ann")
    ann.sends("bob", key=KEY)
    await driver.rest()
    judge.refuses(0, Refuse("mind your words", code="bad_request", field="text"))
    (answer,) = bodies(await driver.rest())
    assert (answer["op"], answer["code"], answer["field"]) == ("error", "bad_request", "text")
    assert answer["message"] == "mind your words"
    assert driver.journal.is_idle
    ann.sends("bob", "something else", key=KEY)
    await driver.rest()
    judge.says(1)
    (answer,) = bodies(await driver.rest())
    assert (answer["op"], answer["n"], answer["dup"]) == ("sent", 1, False)


async def test_I4_a_resend_is_compared_with_what_the_client_sent() -> None:
    app = App()

    @app.on_send
    async def louder(message: Message) -> None:
        message.text = f"{message.text}!"

    driver = HookedDriver(app)
    ann = driver.open("ann")
    first = ann.sends("bob", "hi", key=KEY)
    await driver.rest()
    again = ann.sends("bob", "hi", key=KEY)
    (answer,) = bodies(await driver.rest())
    assert (answer["id"], answer["dup"], answer["n"]) == (again, True, 1)
    changed = ann.sends("bob", "hi!", key=KEY)
    (answer,) = bodies(await driver.rest())
    assert (answer["id"], answer["code"]) == (changed, "conflict")
    assert first != again


async def test_a_resend_is_answered_without_asking_again() -> None:
    judge = Judge()
    driver = HookedDriver(judge.app)
    ann = driver.open("ann")
    ann.sends("bob", key=KEY)
    await driver.rest()
    judge.says(0)
    await driver.rest()
    ann.sends("bob", key=KEY)
    (answer,) = bodies(await driver.rest())
    assert answer["dup"]
    assert len(judge.seen) == 1


class TestOneKeyInHand:
    async def test_I4_a_resend_from_another_device_waits_for_the_outcome(self) -> None:
        judge = Judge()
        driver = HookedDriver(judge.app)
        phone, laptop = driver.open("ann"), driver.open("ann", "laptop")
        first = phone.sends("bob", key=KEY, id=1)
        await driver.rest()
        again = laptop.sends("bob", key=KEY, id=2)
        assert await driver.rest() == []
        assert len(judge.seen) == 1
        judge.says(0)
        answers = {body["id"]: body for body in bodies(await driver.rest())}
        assert answers[first]["n"] == answers[again]["n"] == 1
        assert [answers[first]["dup"], answers[again]["dup"]] == [False, True]
        assert driver.bridge.in_hand == {}

    async def test_if_it_was_refused_the_resend_is_judged_anew(self) -> None:
        judge = Judge()
        driver = HookedDriver(judge.app)
        phone, laptop = driver.open("ann"), driver.open("ann", "laptop")
        phone.sends("bob", key=KEY)
        await driver.rest()
        laptop.sends("bob", key=KEY)
        await driver.rest()
        judge.refuses(0, Refuse("not now"))
        (answer,) = bodies(await driver.rest())
        assert answer["code"] == "forbidden"
        judge.says(1)
        (answer,) = bodies(await driver.rest())
        assert (answer["op"], answer["dup"]) == ("sent", False)

    async def test_others_may_use_the_same_key(self) -> None:
        judge = Judge()
        driver = HookedDriver(judge.app)
        driver.open("ann").sends("bob", key=KEY)
        driver.open("eve").sends("bob", key=KEY)
        await driver.rest()
        assert [message.sender for message in judge.seen] == ["ann", "eve"]

    async def test_another_body_under_it_is_a_conflict_once_it_is_stored(self) -> None:
        judge = Judge()
        driver = HookedDriver(judge.app)
        phone, laptop = driver.open("ann"), driver.open("ann", "laptop")
        phone.sends("bob", "this", key=KEY, id=1)
        await driver.rest()
        number = laptop.sends("bob", "that", key=KEY, id=2)
        await driver.rest()
        judge.says(0)
        answers = {body["id"]: body for body in bodies(await driver.rest())}
        assert answers[number]["code"] == "conflict"


class TestOthers:
    async def test_the_next_command_of_the_line_waits_and_no_other_line(self) -> None:
        judge = Judge()
        driver = HookedDriver(judge.app)
        ann, bob = driver.open("ann"), driver.open("bob")
        ann.sends("bob")
        number = ann.says("ping")
        await driver.rest()
        assert bob.asks("sync", after=0)["op"] == "page"
        assert driver.told() == []
        judge.says(0)
        told = await driver.rest()
        assert [one.id for one in told if one.kind == "pong"] == [number]

    async def test_what_was_said_before_the_line_went_is_done(self) -> None:
        judge = Judge()
        driver = HookedDriver(judge.app)
        driver.open("bob")
        ann = driver.open("ann")
        ann.sends("bob", "last words")
        await driver.rest()
        ann.closed()
        await driver.rest()
        judge.says(0)
        assert "last words" in texts(await driver.rest())


class TestEdits:
    async def test_an_edit_is_judged_and_says_which_message_it_is_of(self) -> None:
        judge = Judge()
        driver = HookedDriver(judge.app)
        ann = driver.open("ann")
        ann.sends("bob", "hi")
        await driver.rest()
        judge.says(0)
        await driver.rest()
        edit = {"conv": "direct:ann,bob", "n": 1, "key": KEY, "text": "ho"}
        ann.says("edit", **edit)
        assert await driver.rest() == []
        seen = judge.seen[1]
        assert (seen.edit_of, seen.text, seen.conv) == (1, "ho", "direct:ann,bob")
        seen.text = "HO"
        judge.says(1)
        told = await driver.rest()
        assert texts(told) == ["HO", "HO"]
        assert ann.asks("edit", **edit)["dup"]
        assert ann.asks("edit", **edit | {"text": "HO"})["code"] == "conflict"

    async def test_one_that_is_refused_changes_nothing(self) -> None:
        judge = Judge()
        driver = HookedDriver(judge.app)
        ann = driver.open("ann")
        ann.sends("bob", "hi")
        await driver.rest()
        judge.says(0)
        await driver.rest()
        ann.says("edit", conv="direct:ann,bob", n=1, key=KEY, text="ho")
        await driver.rest()
        judge.refuses(1, Refuse("leave it"))
        (answer,) = bodies(await driver.rest())
        assert (answer["code"], answer["message"]) == ("forbidden", "leave it")
        (shown,) = ann.asks("history", conv="direct:ann,bob")["items"]
        assert shown["text"] == "hi"

    async def test_what_may_not_be_edited_is_refused_without_asking(self) -> None:
        judge = Judge()
        driver = HookedDriver(judge.app)
        ann = driver.open("ann")
        answer = ann.asks("edit", conv="direct:ann,bob", n=1, key=KEY, text="ho")
        assert answer["op"] == "error"
        stranger = driver.stranger().asks("edit", conv="direct:ann,bob", n=1, key=KEY, text="ho")
        assert stranger["code"] == "unauthorized"
        assert judge.seen == []


async def test_outcome_waits_for_a_send_in_hand() -> None:
    judge = Judge()
    driver = HookedDriver(judge.app)
    phone, laptop = driver.open("ann"), driver.open("ann", "laptop")
    phone.sends("bob", key=KEY, id=1)
    await driver.rest()
    laptop.says("outcome", key=KEY, id=2)
    assert await driver.rest() == []
    judge.says(0)
    answers = {body["id"]: body for body in bodies(await driver.rest())}
    assert answers[2]["sent"]["n"] == answers[1]["n"] == 1


class TestTrouble:
    async def test_a_failure_is_internal_and_the_line_goes_on(self) -> None:
        judge = Judge()
        driver = HookedDriver(judge.app)
        ann = driver.open("ann")
        ann.sends("bob", key=KEY)
        await driver.rest()
        with structlog.testing.capture_logs() as logs:
            judge.refuses(0, ZeroDivisionError("a bug"))
            (answer,) = bodies(await driver.rest())
        assert (answer["code"], answer["retryable"]) == ("internal", False)
        assert "a bug" not in answer["message"]
        (line,) = logs
        assert (line["hook"], line["connection"]) == ("on_send", f"{ann.conn:x}")
        assert (line["user"], line["conv"], line["key"]) == ("ann", "direct:ann,bob", KEY)
        assert driver.metrics.hooks == {("on_send", "failed"): 1}
        assert ann.asks("sync", after=0)["op"] == "page"

    async def test_who_does_not_answer_in_time_makes_it_unavailable(self) -> None:
        judge = Judge()
        driver = HookedDriver(judge.app, hooks={"timeout": "10ms"})
        ann = driver.open("ann")
        ann.sends("bob", key=KEY)
        await driver.rest()
        with structlog.testing.capture_logs() as logs:
            await asyncio.wait(judge.words, timeout=5)
        assert [entry["key"] for entry in logs] == [KEY]
        (answer,) = bodies(await driver.rest())
        assert (answer["code"], answer["retryable"]) == ("unavailable", True)
        assert answer["retry_after_ms"] > 0
        assert driver.bridge.in_hand == {}

    async def test_I8_more_than_may_wait_for_it_are_unavailable(self) -> None:
        judge = Judge()
        driver = HookedDriver(judge.app, hooks={"concurrency": 1})
        driver.open("ann").sends("bob")
        await driver.rest()
        driver.open("eve").sends("bob")
        (answer,) = bodies(await driver.rest())
        assert (answer["code"], answer["retryable"]) == ("unavailable", True)
        judge.says(0)
        assert len(bodies(await driver.rest())) == 1

    @pytest.mark.parametrize(
        "body",
        [
            {"text": ""},
            {"text": 7},
            {"text": "x" * 20_000},
            {"text": None, "data": {"when": object()}},
            {"mentions": ["two words"]},
        ],
        ids=str,
    )
    async def test_what_no_client_could_send_is_a_failure_of_the_application(self, body) -> None:
        judge = Judge()
        driver = HookedDriver(judge.app)
        driver.open("ann").sends("bob")
        await driver.rest()
        for name, value in body.items():
            setattr(judge.seen[0], name, value)
        with structlog.testing.capture_logs() as logs:
            judge.says(0)
            (answer,) = bodies(await driver.rest())
        assert answer["code"] == "internal"
        assert [entry["conv"] for entry in logs] == ["direct:ann,bob"]
        assert driver.journal.is_idle

    async def test_what_is_no_message_is_a_failure_too(self) -> None:
        judge = Judge()
        driver = HookedDriver(judge.app)
        driver.open("ann").sends("bob")
        await driver.rest()
        with structlog.testing.capture_logs():
            judge.words[0].set_result("hi")
            (answer,) = bodies(await driver.rest())
        assert answer["code"] == "internal"

    async def test_I8_a_full_disk_queue_is_unavailable_after_the_word_too(self) -> None:
        judge = Judge()
        driver = HookedDriver(judge.app, limits={"commit_queue": 1})
        driver.open("ann").sends("bob")
        await driver.rest()
        driver.bridge.screens = False
        for line in [driver.open("under-way"), driver.open("waits")]:
            line.sends("bob")
            driver.turn()
        judge.says(0)
        answers = bodies(await driver.think())
        assert [answer["code"] for answer in answers] == ["unavailable"]
