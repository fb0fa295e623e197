from __future__ import annotations

import msgspec
import pytest

from hivewire import chaos
from hivewire.core.entries import CursorEntry, Duplicate
from hivewire.delivery import CURSORS_A_GROUP, JSON, MSGPACK, Caller, Op, encode, sent
from hivewire.store.journal import GROUP_ENTRIES

from .handlers.driver import OPS, Driver, Line, bodies, kinds

UNLIMITED = {"sends_per_second": 0, "sends_per_second_user": 0, "sends_in_flight": 9_999}


def caller_of(line: Line, user: str = "ann") -> Caller:
    return Caller(line.conn, user, "phone", line.encoding, None)


class TestRelease:
    def test_I1_heads_have_moved_when_the_first_answer_goes_out(self) -> None:
        driver = Driver()
        ann = driver.open("ann")
        heads: list[int] = []
        driver.engine.on_submit = lambda _: heads.append(driver.view.user("bob").durable)
        ann.sends("bob")
        driver.turn()
        assert (heads, driver.view.user("bob").durable) == ([], 0)
        driver.sync()
        assert heads == [1]

    def test_I1_answers_and_events_leave_in_the_order_of_their_entries(self) -> None:
        driver = Driver()
        ann, bob = driver.open("ann"), driver.open("bob")
        for _ in range(3):
            ann.sends("bob")
            bob.sends("ann")
        told = driver.settle()
        for user in ("ann", "bob"):
            assert [one.seq for one in told if one.user == user] == [1, 2, 3, 4, 5, 6]

    def test_events_come_before_answers_that_show_state(self) -> None:
        driver = Driver()
        ann, bob = driver.open("ann"), driver.open("bob")
        bob.sends("ann")
        ann.says("sync", after=0)
        bob.sends("ann")
        assert kinds(driver.turn()) == ["syncing"]
        told = driver.sync()
        assert kinds(told) == ["event"] * 4 + ["page"]
        assert [event["seq"] for event in told[-1].body["events"]] == [1, 2]

    def test_I2_a_group_waits_for_the_one_before_it(self) -> None:
        driver = Driver()
        ann, bob = driver.open("ann"), driver.open("bob")
        first = ann.sends("bob")
        driver.turn()
        second = bob.sends("ann")
        assert driver.turn() == []
        assert [body["id"] for body in bodies(driver.sync())] == [first]
        assert [body["id"] for body in bodies(driver.sync())] == [second]

    def test_I1_a_journal_that_died_releases_nothing_ever_again(self) -> None:
        driver = Driver()
        ann = driver.open("ann")
        ann.sends("bob")
        driver.turn()
        late: list[int] = []
        driver.delivery.when_durable(lambda: late.append(1))
        driver.store.failing = True
        assert driver.sync() == []
        assert len(driver.failures) == 1
        driver.store.failing = False
        ann.sends("bob")
        (answer,) = bodies(driver.settle())
        assert (answer["code"], answer["retryable"], late) == ("unavailable", True, [])
        assert driver.view.user("bob").durable == 0

    def test_the_middle_of_a_fan_out_can_be_marked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        driver = Driver()
        driver.open("ann").sends("bob")
        driver.turn()
        marks: list[tuple[str, int]] = []
        mark = marks.append
        monkeypatch.setattr(chaos, "reach", lambda point: mark((point, len(driver.engine.ops))))
        assert [told.user for told in driver.sync()] == ["ann", "bob"]
        assert ("mid-fanout", 1) in marks


class TestWaiting:
    def test_what_shows_no_state_goes_out_with_the_turn_in_one_submit(self) -> None:
        driver = Driver()
        ann = driver.open("ann")
        for _ in range(3):
            ann.says("ack", seq=0)
        before = driver.engine.submits
        assert len(bodies(driver.turn())) == 3
        assert driver.engine.submits == before + 1
        driver.turn()
        assert driver.engine.submits == before + 1

    def test_with_all_durable_an_answer_is_worked_out_at_once(self) -> None:
        driver, told = Driver(), list[str]()
        driver.delivery.when_durable(lambda: told.append("now"))
        assert told == ["now"]

    def test_I2_else_when_the_newest_group_is(self) -> None:
        driver, told = Driver(), list[int]()
        ann = driver.open("ann")
        for _ in range(2):
            ann.sends("bob")
            driver.turn()
        driver.delivery.when_durable(lambda: told.append(driver.view.user("bob").durable))
        driver.sync()
        assert told == []
        driver.sync()
        assert told == [2]

    def test_a_repeat_is_open_until_its_group_is_durable(self) -> None:
        driver = Driver()
        ann = driver.open("ann")
        original = Duplicate("direct:ann,bob", 1, 1, 5)
        driver.delivery.repeat(original, 8, caller_of(ann))
        assert driver.delivery.open_ids(ann.conn) == []
        number = ann.sends("bob")
        driver.turn()
        driver.delivery.repeat(original, 9, caller_of(ann))
        assert driver.delivery.open_ids(ann.conn) == [number, 9]
        driver.sync()
        assert driver.delivery.open_ids(ann.conn) == []

    def test_open_ids_are_a_connections_own_over_all_groups(self) -> None:
        driver = Driver(limits=UNLIMITED)
        ann, bob = driver.open("ann"), driver.open("bob")
        mine = [ann.sends("bob") for _ in range(GROUP_ENTRIES + 1)]
        his = bob.sends("ann")
        driver.turn()
        assert sorted(driver.delivery.open_ids(ann.conn)) == mine
        assert driver.delivery.open_ids(bob.conn) == [his]
        driver.settle()
        assert driver.delivery.open_ids(ann.conn) == []


class TestCursors:
    def moved(self, driver: Driver, devices: int, seq: int = 1) -> None:
        for number in range(devices):
            driver.view.cursors.note(CursorEntry("ann", f"d{number}", seq, 5))

    def test_a_device_that_acks_often_writes_one_row(self) -> None:
        driver = Driver()
        for seq in (1, 2, 3):
            self.moved(driver, 1, seq)
        driver.delivery.cursors()
        driver.settle()
        assert (driver.journal.entries, driver.journal.puts) == (1, 1)
        driver.store.crash()
        assert Driver(driver.store).view.cursors.load("ann", "d0") == 3

    def test_I8_many_are_written_in_bounded_groups(self) -> None:
        driver = Driver()
        sizes: list[int] = []
        driver.journal._observe = lambda commit: sizes.append(commit.entries)
        self.moved(driver, 2 * CURSORS_A_GROUP + 50)
        driver.delivery.cursors()
        assert not driver.view.cursors.dirty
        driver.settle()
        assert sizes == [CURSORS_A_GROUP, CURSORS_A_GROUP, 50]

    def test_nobody_is_told_of_them(self) -> None:
        driver = Driver()
        self.moved(driver, 1)
        driver.delivery.cursors()
        assert driver.settle() == []
        assert driver.journal.is_idle

    def test_what_is_being_written_is_known_meanwhile_and_let_go_afterwards(self) -> None:
        driver = Driver()
        self.moved(driver, 1)
        driver.delivery.cursors()
        assert driver.view.cursors.load("ann", "d0") == 1
        driver.sync()
        assert driver.view.cursors._writing == {}

    def test_the_write_of_cursors_is_a_marked_point(self, monkeypatch: pytest.MonkeyPatch) -> None:
        marks: list[str] = []
        driver = Driver()
        monkeypatch.setattr(chaos, "reach", marks.append)
        self.moved(driver, 1)
        driver.delivery.cursors()
        assert marks[0] == "cursor"


def test_what_goes_out_is_counted() -> None:
    driver = Driver()
    ann = driver.open("ann")
    ann.sends("bob")
    ann.sends("ann")
    driver.settle()
    assert driver.metrics.events == 3
    assert driver.metrics.commands["send", "ok"] == 2
    assert driver.metrics.answer_seconds.count == 3  # the connect too


@pytest.mark.parametrize("dup", [False, True])
def test_sent_says_the_same_in_both_encodings(dup: bool) -> None:
    places = Duplicate("direct:ann,bob", 2**53 - 1, 7, 1_800_000_000_000)
    json = msgspec.json.decode(sent(places, 2**32 - 1, JSON, dup=dup))
    twin = msgspec.msgpack.decode(sent(places, 2**32 - 1, MSGPACK, dup=dup))
    assert json == twin
    assert list(json) == ["op", "id", "conv", "n", "seq", "ts", "dup"]
    assert json["dup"] is dup


def test_an_object_begins_with_its_op_in_both_encodings() -> None:
    answer = {"op": "ok", "id": 1}
    assert encode(JSON, answer) == b'{"op":"ok","id":1}'
    assert encode(MSGPACK, answer) == b"\x82\xa2op\xa2ok\xa2id\x01"


def test_a_close_is_an_op_like_any_other() -> None:
    driver = Driver()
    ann = driver.open("ann")
    driver.delivery.close(caller_of(ann), 4013, "why")
    expected: Op = (OPS.close, ann.conn, 4013, "why", 0)
    assert driver.delivery.now == [expected]
