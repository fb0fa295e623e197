from __future__ import annotations

from typing import TYPE_CHECKING

from hivewire import chaos
from hivewire.core.entries import Duplicate
from hivewire.delivery import MSGPACK, Caller, Op
from hivewire.delivery.delivery import MEMBERS_AN_ENTRY
from hivewire.delivery.receipts import GATHER_MS
from hivewire.store import keys
from hivewire.store.journal import GROUP_ENTRIES
from tests.unit.handlers.driver import OPS, Driver, Line, bodies, kinds

if TYPE_CHECKING:
    import pytest

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
        ann = driver.open("ann")
        for _ in range(2):
            ann.sends("bob")
        driver.turn()
        marks: list[tuple[str, int]] = []
        mark = marks.append
        monkeypatch.setattr(chaos, "reach", lambda point: mark((point, len(driver.engine.ops))))
        assert [told.user for told in driver.sync()] == ["ann", "bob"] * 2
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
        original = Duplicate("direct:ann,bob", 1, 1, 5, keys.OP_SEND)
        driver.delivery.repeat(original, 8, caller_of(ann))
        assert list(driver.delivery.open_ids(ann.conn)) == []
        number = ann.sends("bob")
        driver.turn()
        driver.delivery.repeat(original, 9, caller_of(ann))
        assert list(driver.delivery.open_ids(ann.conn)) == [number, 9]
        driver.sync()
        assert list(driver.delivery.open_ids(ann.conn)) == []

    def test_open_ids_are_a_connections_own_over_all_groups(self) -> None:
        driver = Driver(limits=UNLIMITED)
        ann, bob = driver.open("ann"), driver.open("bob")
        mine = [ann.sends("bob") for _ in range(GROUP_ENTRIES + 1)]
        his = bob.sends("ann")
        driver.turn()
        assert sorted(driver.delivery.open_ids(ann.conn)) == mine
        assert list(driver.delivery.open_ids(bob.conn)) == [his]
        driver.settle()
        assert list(driver.delivery.open_ids(ann.conn)) == []


class TestChanges:
    def made(self, kind: str = "group") -> tuple[Driver, Line, Line]:
        """Ann and bob are in group or channel `g`; all of it is told."""
        driver = Driver(limits=UNLIMITED)
        ann, bob = driver.open("ann"), driver.open("bob")
        ann.asks("group.create", key="key-make", group="g", kind=kind, members=["bob"])
        return driver, ann, bob

    def test_I1_events_of_one_command_leave_in_the_order_of_their_places(self) -> None:
        driver = Driver()
        ann = driver.open("ann")
        ann.says("group.create", key="key-make", group="g", members=["bob"])
        assert driver.turn() == []
        told = driver.sync()
        assert [(one.user, one.seq, one.body["n"]) for one in told[:-1]] == [
            *(("ann", 1, 1), ("bob", 1, 1), ("ann", 2, 2), ("bob", 2, 2)),
        ]
        assert told[-1].body["op"] == "group"

    def test_who_asked_gets_the_answer_in_place_of_the_event(self) -> None:
        driver, ann, _ = self.made()
        ann.says("send", to="group:g", key="key-0001", text="hi")
        ann.says("edit", conv="group:g", n=3, key="key-0002", text="ho")
        told = driver.settle()
        answers = {(one.user, one.body["type"]): one.answer and one.answer["op"] for one in told}
        assert answers == {
            ("ann", "message"): "sent",
            ("bob", "message"): None,
            ("ann", "edit"): "sent",
            ("bob", "edit"): None,
        }

    def test_I2_a_channels_event_is_published_when_it_is_durable_behind_its_answer(self) -> None:
        driver, ann, _ = self.made("channel")
        ann.says("send", to="channel:g", key="key-0001", text="hi")
        assert driver.turn() == []
        answer, published = driver.sync()
        assert (answer.kind, answer.body["op"], "seq" in answer.body) == ("send", "sent", False)
        assert (published.kind, published.topic) == ("publish", "open:channel:g")
        assert published.volatile
        assert list(published.push)[:4] == ["op", "type", "conv", "n"]
        assert published.push["op"] == "channel_event"

    def test_heads_of_a_channel_are_gathered(self) -> None:
        driver, ann, _ = self.made("channel")
        driver.later(1_000)
        driver.told()
        for number in range(3):
            ann.says("send", to="channel:g", key=f"key-000{number}", text="hi")
            driver.settle()
        driver.later(1_000)
        (told,) = driver.told()
        assert (told.kind, told.topic) == ("publish", "heads:channel:g")
        assert told.push == {"op": "channel", "conv": "channel:g", "head": 5}

    def test_who_comes_to_a_channel_follows_it_and_who_goes_does_not(self) -> None:
        driver, ann, _ = self.made("channel")
        ann.says("group.add", conv="channel:g", key="key-0001", members=["cat"])
        told = driver.settle()
        assert (told[0].kind, told[0].user, told[0].topic) == (
            *("subscribe_user", "cat", "heads:channel:g"),
        )
        ann.says("group.remove", conv="channel:g", key="key-0002", members=["cat"])
        told = driver.settle()
        assert [(one.kind, one.user, one.topic) for one in told[:2]] == [
            ("unsubscribe_user", "cat", "heads:channel:g"),
            ("unsubscribe_user", "cat", "open:channel:g"),
        ]

    def test_a_twin_is_made_as_soon_as_somebody_speaks_messagepack(self) -> None:
        driver, ann, _ = self.made()
        ann.says("react", conv="group:g", n=1, key="key-0001", emoji="x")
        driver.settle()
        driver.open("cat", encoding=MSGPACK)
        ann.says("send", to="group:g", key="key-0002", text="hi")
        assert all(one.msgpack is not None for one in driver.settle())

    def test_a_change_is_no_send_in_the_metrics(self) -> None:
        driver, ann, _ = self.made()
        ann.says("send", to="group:g", key="key-0001", text="hi")
        ann.says("edit", conv="group:g", n=3, key="key-0002", text="ho")
        driver.settle()
        counted = driver.metrics.commands
        assert [counted[op, "ok"] for op in ("send", "edit", "group.create")] == [1, 1, 1]

    def test_I8_a_large_fan_out_fills_its_group(self) -> None:
        driver = Driver(limits=UNLIMITED)
        sizes: list[int] = []
        driver.journal._observe = lambda commit: sizes.append(commit.entries)
        members = [f"u{number}" for number in range(400)]
        ann = driver.open("ann")
        ann.asks("group.create", key="key-make", group="g", members=members)
        weight = 1 + len(members) // MEMBERS_AN_ENTRY
        for number in range(3 * GROUP_ENTRIES // weight):
            ann.says("send", to="group:g", key=f"key-{number:04}", text="hi")
        driver.settle()
        assert len(sizes) >= 3
        assert max(sizes) < GROUP_ENTRIES + weight

    def test_nothing_that_is_on_its_way_is_left_behind(self) -> None:
        driver, ann, bob = self.made("channel")
        ann.says("group.remove", conv="channel:g", key="key-0001", members=["bob"])
        bob.says("send", to="user:ann", key="key-0001", text="hi")
        ann.says("block", user="bob")
        driver.settle()
        view = driver.view
        assert not view.pending
        assert not view.overlay._rows
        assert not view.marks._writing
        assert not driver.delivery._open_ids


class TestMarks:
    def test_they_are_written_with_the_cursors_and_told_once_durable(self) -> None:
        driver = Driver()
        ann, bob = driver.open("ann"), driver.open("bob")
        ann.sends("bob")
        driver.settle()
        bob.says("ack", seq=1, id=None)
        driver.turn()
        driver.delivery.cursors()
        driver.sync()
        driver.later(1_000)
        told = [one for one in driver.told() if one.kind == "push"]
        assert [(one.user, one.push) for one in told] == [
            (user, {"op": "receipt", "conv": "direct:ann,bob", "user": "bob",
                    "delivered": 1, "read": 0})
            for user in ("ann", "bob")
        ]  # fmt: skip
        assert all(one.volatile for one in told)

    def test_receipts_go_with_the_next_event_of_their_conversation(self) -> None:
        driver = Driver()
        ann, bob = driver.open("ann"), driver.open("bob")
        ann.sends("bob")
        driver.settle()
        bob.says("read", conv="direct:ann,bob", n=1)
        driver.settle()
        driver.later(GATHER_MS)
        ann.sends("cat")
        assert [one.kind for one in driver.settle()] == ["event", "event"]
        bob.sends("ann")
        told = driver.settle()
        assert [(one.kind, one.user) for one in told] == [
            *(("event", "ann"), ("event", "bob")),
            *(("push", "ann"), ("push", "bob")),
        ]
        driver.later(1_000)
        assert not driver.told()

    def test_I2_no_receipt_before_the_mark_is_durable(self) -> None:
        driver = Driver()
        ann, bob = driver.open("ann"), driver.open("bob")
        ann.sends("bob")
        driver.settle()
        bob.says("read", conv="direct:ann,bob", n=1)
        driver.turn()
        assert not driver.delivery.receipts._gathered
        driver.sync()
        assert driver.delivery.receipts._gathered


def test_a_push_is_volatile_and_for_all_devices_of_a_user() -> None:
    driver = Driver()
    driver.delivery.push("ann", {"op": "typing"})
    driver.delivery.flush()
    (told,) = driver.told()
    assert (told.kind, told.user, told.push, told.volatile) == ("push", "ann", {"op": "typing"}, 1)


def test_what_goes_out_is_counted() -> None:
    driver = Driver()
    ann = driver.open("ann")
    ann.sends("bob")
    ann.sends("ann")
    driver.settle()
    assert driver.metrics.events == 3
    assert driver.metrics.commands["send", "ok"] == 2
    assert driver.metrics.answer_seconds.count == 3  # the connect too


def test_a_close_is_an_op_like_any_other() -> None:
    driver = Driver()
    ann = driver.open("ann")
    driver.delivery.close(caller_of(ann), 4013, "why")
    expected: Op = (OPS.close, ann.conn, 4013, "why", 0)
    assert driver.delivery.now == [expected]
