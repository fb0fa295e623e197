from __future__ import annotations

import asyncio
from unittest import mock

import pytest
import structlog

from hivewire import gateway
from hivewire.config import load
from hivewire.config.sections import Log
from hivewire.core.commands import Send
from hivewire.core.decode import decode_frame
from hivewire.delivery import JSON, MSGPACK, Caller
from hivewire.following import connection_id, logs_of
from hivewire.gateway import BACKLOG_GROUPS, PARKED_COMMANDS, Engine, Gateway, shards_for
from hivewire.handlers import send
from hivewire.hooks import App, Message

from .handlers.driver import CODES, Driver, Line, bodies, kinds
from .hooks.node import HookedDriver

UNLIMITED = {"sends_per_second": 0, "sends_per_second_user": 0, "sends_in_flight": 9_999}
SMALL = UNLIMITED | {"outbox_soft": 4096}


class TestSettings:
    def test_the_engine_takes_what_a_node_gives_it(self) -> None:
        settings = load(edge={"address": "127.0.0.1:0"}, limits={"message_time": "3s"})
        ours = gateway.engine_settings(settings, 2)
        assert (ours.shards, ours.fragments_ms, ours.path) == (2, 3_000, "/v1/ws")
        Engine(ours).stop()

    def test_an_echo_server_has_no_limits_on_rates(self) -> None:
        ours = gateway.echo_settings("127.0.0.1:0", 1, 16 << 20, 70_000, deflate=True)
        assert (ours.echo, ours.path, ours.control_per_second) == (True, "/", 0)
        assert ours.outbox_soft >= 2 * ours.max_message
        Engine(ours).stop()

    @pytest.mark.parametrize(
        ("connections", "cores", "table", "shards"),
        [(50_000, 2, 1 << 20, 2), (100_000, 2, 20_000, 6), (1, 4, 1024, 4)],
    )
    def test_shards_are_the_cores_or_what_the_file_tables_need(
        self, connections: int, cores: int, table: int, shards: int
    ) -> None:
        assert shards_for(connections, cores, table) == shards


class TestTurns:
    def test_lines_take_their_turns_in_the_order_in_which_they_spoke(self) -> None:
        driver = Driver()
        ann, bob = driver.open("ann"), driver.open("bob")
        spoken = [line.says("ack", seq=0) for line in (ann, bob, ann)]
        assert [body["id"] for body in bodies(driver.turn())] == spoken

    def test_commands_of_one_message_run_in_order_and_wrong_ones_in_their_place(self) -> None:
        driver = Driver()
        ann = driver.open("ann")
        ann.says_raw(b'[{"op":"ack","id":1,"seq":0},{"op":"what","id":2},{"op":"ping","id":3}]')
        told = driver.turn()
        assert [one.body["id"] if one.kind == "send" else one.id for one in told] == [1, 2, 3]
        ann.says_raw(b"[]")
        assert driver.turn() == []

    def test_a_turn_says_how_much_there_was(self) -> None:
        driver = Driver()
        ann, bob = driver.open("ann"), driver.open("bob")
        ann.says("ping")
        ann.says("ping")
        bob.closed()
        assert driver.gateway.turn() == 2
        assert driver.gateway.turn() == 0
        assert driver.metrics.batch_messages.sum == 4  # two connects, two pings

    def test_what_a_line_says_behind_its_connect_waits_whoever_spoke_in_between(self) -> None:
        """One batch may hold several items of a connection."""
        driver = Driver()
        bob, line = driver.open("bob"), driver.stranger()
        line.says("connect", token=driver.token("ann"), device="phone")
        bob.says("ping")
        number = line.sends("bob")
        assert kinds(driver.turn()) == ["pong"]
        told = driver.settle()
        assert kinds(told) == ["connected", "event", "event"]
        assert told[1].answer["id"] == number

    def test_the_same_behind_a_sync(self) -> None:
        driver = Driver()
        ann, bob = driver.open("ann"), driver.open("bob")
        bob.sends("ann")
        ann.says("sync", after=0)
        bob.says("ping")
        ann.says("ping")
        assert kinds(driver.turn()) == ["syncing", "pong"]
        assert kinds(driver.settle()) == ["event", "event", "page", "pong"]

    def test_nothing_is_kept_of_a_line_that_waits_for_nothing(self) -> None:
        driver = Driver()
        ann = driver.open("ann")
        for op, fields in (("ping", {}), ("sync", {"after": 0}), ("ack", {"seq": 0})):
            ann.says(op, **fields)
            driver.settle()
        assert driver.gateway._callers == {}
        assert driver.gateway._of_user == {}
        assert driver.services.connected == {}


def test_what_is_done_between_two_turns_is_committed_and_let_out() -> None:
    driver = Driver()
    ann = driver.open("ann")
    caller = Caller(ann.conn, "ann", "phone", JSON, None)
    command = Send(7, "user:bob", "key-of-an-act", "hi")
    driver.later(5_000)
    with mock.patch.object(gateway, "time", driver.clock):
        driver.gateway.act(lambda: send.handle(command, caller, driver.services))
        driver.gateway.act(lambda: driver.delivery.answer(caller, {"op": "ok", "id": 8}))
    assert bodies(driver.told()) == [{"op": "ok", "id": 8}]
    (answer,) = bodies(driver.sync())
    assert (answer["id"], answer["ts"]) == (7, driver.clock.ms)


class TestPagesThatMayNotHaveBeenRead:
    """A page of some size is asked after; until it is out, the next command waits (I8)."""

    def reader(self, texts: int = 3) -> tuple[Driver, Line]:
        driver = Driver(limits=SMALL)
        ann, bob = driver.open("ann", cursor=0), driver.open("bob")
        for _ in range(texts):
            bob.sends("ann", "x" * 1_000)
        driver.settle()
        return driver, ann

    def test_I8_the_engine_is_asked_and_the_next_command_waits(self) -> None:
        driver, ann = self.reader()
        ann.says("sync", after=0)
        number = ann.says("ping")
        assert kinds(driver.turn()) == ["syncing", "page", "notify"]
        again = ann.says("ping")
        assert driver.turn() == []
        ann.drained()
        told = driver.turn()
        assert [(one.kind, one.id) for one in told] == [("pong", number), ("pong", again)]
        assert driver.gateway._callers == {}
        assert driver.gateway._of_user == {}

    def test_I8_pages_are_given_out_one_by_one_to_who_asks_for_many(self) -> None:
        driver, ann = self.reader(6)
        for after in (0, 1, 2):
            ann.says("sync", after=after)
        assert kinds(driver.turn()) == ["syncing", "page", "notify"]
        for _ in range(2):
            ann.drained()
            assert kinds(driver.turn()) == ["syncing", "page", "notify"]
        ann.drained()
        assert driver.turn() == []

    def test_a_short_page_is_not_asked_after(self) -> None:
        driver, ann = self.reader(0)
        ann.says("sync", after=0)
        assert kinds(driver.turn()) == ["syncing", "page"]

    def test_the_page_in_connected_counts(self) -> None:
        driver, _ = self.reader(6)
        line = driver.stranger()
        line.says("connect", token=driver.token("ann"), device="tv", cursor=0, sync=100)
        line.says("ping")
        told = driver.settle()
        assert kinds(told) == ["connected", "notify"]
        line.drained()
        assert kinds(driver.turn()) == ["pong"]

    def test_news_of_a_line_that_waits_for_nothing_are_nothing(self) -> None:
        driver, ann = self.reader(0)
        ann.drained()
        assert driver.turn() == []

    def test_I8_a_line_that_has_gone_is_not_waited_for(self) -> None:
        driver, ann = self.reader()
        ann.says("sync", after=0)
        driver.turn()
        ann.closed()
        driver.turn()
        assert driver.gateway._callers == {}
        assert driver.gateway._of_user == {}

    @pytest.mark.parametrize("together", [True, False])
    def test_I8_nor_one_that_goes_while_its_sync_waits_for_the_disk(self, together: bool) -> None:
        driver, ann = self.reader(6)
        driver.open("bob", "tv").sends("ann")
        driver.turn()
        ann.says("sync", after=0)
        number = ann.sends("bob")
        if not together:
            driver.turn()
        ann.closed()
        told = driver.settle()
        assert "notify" not in kinds(told)
        assert driver.gateway._callers == {}
        assert driver.gateway._of_user == {}
        # What it had said is done: its next line will ask for it by the key.
        assert number in [body.get("id") for body in bodies(told)]


class TestBounds:
    def test_I8_a_line_that_says_too_much_behind_a_command_is_closed_with_4013(self) -> None:
        driver = Driver()
        ann, bob = driver.open("ann"), driver.open("bob")
        bob.sends("ann")
        ann.says("sync", after=0)
        for _ in range(PARKED_COMMANDS + 10):
            ann.says("ping", id=1)
        closes = [told for told in driver.turn() if told.kind == "close"]
        assert [(told.conn, told.code) for told in closes] == [(ann.conn, CODES["RATE_LIMITED"])]
        assert kinds(driver.settle()).count("pong") == PARKED_COMMANDS

    def test_I8_nothing_is_taken_while_the_disk_is_behind_and_then_it_catches_up(self) -> None:
        driver, ann = self.behind()
        ann.says("ping")
        assert driver.turn() == []
        assert driver.watch.turn is None
        assert driver.engine.items
        while driver.watch.turn is None:
            driver.sync()
        assert driver.journal.waiting <= BACKLOG_GROUPS * 10
        assert kinds(driver.turn()) == ["pong"]

    def test_it_does_not_begin_again_by_itself_once_it_was_stopped(self) -> None:
        driver, _ = self.behind()
        driver.turn()
        driver.gateway.stop()
        driver.settle()
        assert driver.watch.turn is None
        assert driver.journal.is_idle

    def behind(self) -> tuple[Driver, Line]:
        """More waits for the disk than four groups of the size that a turn takes."""
        driver = Driver(limits=UNLIMITED | {"batch_messages": 10})
        ann = driver.open("ann")
        ann.sends("bob")
        driver.turn()
        for _ in range(BACKLOG_GROUPS * 10 + 1):
            ann.sends("bob")
        driver.turn()
        return driver, ann


class TestEnds:
    def test_I8_the_rates_of_a_line_go_with_it(self) -> None:
        driver = Driver()
        ann = driver.open("ann")
        ann.sends("bob")
        ann.says("what")
        driver.settle()
        ann.closed()
        driver.turn()
        rates = driver.services.rates
        assert (rates._connections, rates._mistakes) == ({}, {})

    @pytest.mark.parametrize("together", [False, True])
    def test_one_that_was_replaced_is_logged_as_whose_it_was(self, together: bool) -> None:
        driver = Driver()
        driver.delivery.connection_log, _ = logs_of(Log(connections=True), CODES)
        tv, lines = driver.open("ann", "tv"), [driver.stranger(), driver.stranger()]
        with structlog.testing.capture_logs() as logs:
            for line in lines:
                line.says("connect", token=driver.token("ann"), device="phone")
                if not together:
                    driver.settle()
            driver.settle()
            for line in (*lines, tv):
                line.closed()
            driver.turn()
        ended = [
            (log["connection"], log.get("user"), log.get("device"))
            for log in logs
            if log["event"] == "closed"
        ]
        names = [connection_id(line.conn) for line in (*lines, tv)]
        assert ended == list(zip(names, ["ann"] * 3, ["phone", "phone", "tv"], strict=True))

    def test_messagepack_lines_are_counted_until_they_are_closed(self) -> None:
        driver = Driver()
        lines = [driver.open("ann", "tv", MSGPACK), driver.open("bob", encoding=MSGPACK)]
        json = driver.open("cat", encoding=JSON)
        assert driver.delivery.msgpack_sessions == 2
        for line in (*lines, json):
            line.closed()
        driver.turn()
        assert driver.delivery.msgpack_sessions == 0


class TestHandOver:
    """Another gateway over the same engine goes on with what waits."""

    async def test_a_command_that_a_hook_holds_is_begun_again_and_those_behind_it_follow(
        self,
    ) -> None:
        app, gates = App(), dict[str, asyncio.Event]()

        @app.on_send
        async def judge(message: Message) -> None:
            await gates.setdefault(str(message.text), asyncio.Event()).wait()

        driver = HookedDriver(app)
        ann = driver.open("ann")
        for text in ("first", "second", "third"):
            ann.says("send", to="user:bob", key=f"key-{text}", text=text)
        ann.says("send", to="user:bob")
        cat = driver.open("cat")
        cat.says("send", to="user:bob", key="key-held-1", text="held")
        driver.turn()
        await driver.think()
        driver.gateway.suspend()
        gates["first"].set()
        await driver.rest()
        assert list(gates) == ["first", "held"], "what waited is not begun here any more"
        waiting = driver.gateway.hand_over()
        assert [
            (conn, session[:2], state, len(commands)) for conn, session, state, commands in waiting
        ] == [
            (ann.conn, ("ann", "phone"), (False, 0, False), 3),
            (cat.conn, ("cat", "phone"), (False, 0, False), 1),
        ]

        driver.services.hooks = None
        driver.gateway = Gateway(
            driver.engine,  # pyright: ignore[reportArgumentType] - its recorder
            driver.services,
            driver.journal,
            driver.watch,  # pyright: ignore[reportArgumentType] - its watch
        )
        driver.services.resume = driver.gateway.resume
        with mock.patch.object(gateway, "time", driver.clock):
            driver.gateway.take_over(waiting)
        assert [body.get("n", body.get("code")) for body in bodies(await driver.rest())] == [
            *("bad_request", 2, 3, 1)
        ]
        assert driver.gateway.hand_over() == []

    def test_a_command_comes_out_as_it_went_in(self) -> None:
        sends = decode_frame(
            b'{"op":"send","id":7,"to":"user:bob","key":"k-0000001","data":{"a":[1,2.5,null,"\xc3\xbc"]},'
            b'"reply_to":3,"mentions":["cat"]}',
            JSON,
        )
        wrong = decode_frame(b'{"op":"send","id":7}', JSON)
        for command in (*sends, *wrong):
            assert gateway.revived(gateway.portable(command)) == [command]
