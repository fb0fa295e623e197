from __future__ import annotations

import pytest

from hivewire.delivery import JSON, MSGPACK

from .driver import CODES, NOW_S, Driver, bodies, kinds
from .team import Team

KEY = "01JD8ZK3V6P0Q2R4S6T8V0X2Z4"


def test_I1_I2_nobody_is_told_before_the_sync_has_returned() -> None:
    driver = Driver()
    ann = driver.open("ann")
    driver.open("bob")
    number = ann.sends("bob", key=KEY)
    assert driver.turn() == []
    to_ann, to_bob = driver.sync()
    assert (to_ann.user, to_ann.seq, to_ann.origin) == ("ann", 1, ann.conn)
    assert (to_bob.user, to_bob.seq, to_bob.origin, to_bob.answer) == ("bob", 1, 0, None)
    assert to_ann.answer == {
        "op": "sent",
        "id": number,
        "conv": "direct:ann,bob",
        "n": 1,
        "seq": 1,
        "ts": NOW_S * 1000,
        "dup": False,
    }
    assert to_bob.json == to_ann.json
    assert to_bob.body == {
        "type": "message",
        "conv": "direct:ann,bob",
        "n": 1,
        "from": "ann",
        "key": KEY,
        "ts": NOW_S * 1000,
        "text": "hi",
    }


def test_the_answer_speaks_the_encoding_of_who_sent() -> None:
    driver = Driver()
    ann = driver.open("ann", encoding=MSGPACK)
    assert ann.asks("send", to="user:ann", key=KEY, text="hi")["op"] == "sent"


def test_sents_of_a_line_come_in_the_order_of_its_sends() -> None:
    driver = Driver()
    ann = driver.open("ann")
    numbers = [ann.sends(to) for to in ("bob", "cat", "ann", "bob")]
    answers = bodies(driver.settle())
    assert [answer["id"] for answer in answers] == numbers
    assert [answer["seq"] for answer in answers] == [1, 2, 3, 4]


def test_before_connect_it_is_unauthorized() -> None:
    driver = Driver()
    answer = driver.stranger().asks("send", to="user:bob", key=KEY, text="hi")
    assert (answer["code"], answer["field"]) == ("unauthorized", "op")
    assert driver.journal.is_idle


class TestKeys:
    def test_I4_a_resend_gets_the_original_answer_and_is_not_shown_again(self) -> None:
        driver = Driver()
        ann = driver.open("ann")
        first = ann.asks("send", to="user:bob", key=KEY, text="hi")
        driver.later(1_000)
        again = driver.open("ann", "laptop").sends("bob", key=KEY)
        (told,) = driver.settle()
        assert told.kind == "send"
        assert told.body == first | {"id": again, "dup": True}

    def test_I2_I4_a_resend_of_one_under_way_waits_for_it(self) -> None:
        driver = Driver()
        ann = driver.open("ann")
        first = ann.sends("bob", key=KEY)
        again = ann.sends("bob", key=KEY)
        assert driver.turn() == []
        told = driver.sync()
        assert kinds(told) == ["event", "event", "send"]
        assert [(one["id"], one["dup"]) for one in bodies(told)] == [(first, False), (again, True)]

    def test_a_resend_of_something_durable_stays_behind_the_sends_before_it(self) -> None:
        driver = Driver()
        ann = driver.open("ann")
        ann.asks("send", to="user:bob", key=KEY, text="hi")
        fresh = ann.sends("bob")
        again = ann.sends("bob", key=KEY)
        assert driver.turn() == []
        assert [one["id"] for one in bodies(driver.sync())] == [fresh, again]

    def test_a_resend_with_nothing_on_its_way_is_answered_at_once(self) -> None:
        driver = Driver()
        ann = driver.open("ann")
        ann.asks("send", to="user:bob", key=KEY, text="hi")
        ann.sends("bob", key=KEY)
        assert bodies(driver.turn())[0]["dup"] is True

    def test_I4_another_text_under_a_used_key_is_a_conflict(self) -> None:
        driver = Driver()
        ann = driver.open("ann")
        ann.asks("send", to="user:bob", key=KEY, text="hi")
        ann.sends("bob", "other", key=KEY)
        (answer,) = bodies(driver.turn())
        assert (answer["code"], answer["field"], answer["retryable"]) == ("conflict", "key", False)

    def test_I2_a_conflict_with_what_is_not_durable_waits_for_it(self) -> None:
        driver = Driver()
        ann = driver.open("ann")
        ann.sends("bob", key=KEY)
        wrong = ann.sends("bob", "other", key=KEY)
        assert driver.turn() == []
        told = driver.sync()
        assert kinds(told) == ["event", "event", "send"]
        assert (told[-1].body["id"], told[-1].body["code"]) == (wrong, "conflict")

    def test_I4_a_resend_that_waited_behind_a_sync_is_a_duplicate(self) -> None:
        """Its key was looked up when the first was on its way to the disk and not to be seen."""
        driver = Driver()
        ann, laptop = driver.open("ann"), driver.open("ann", "laptop")
        ann.sends("bob")
        driver.turn()
        ann.sends("bob", key=KEY)
        driver.turn()
        laptop.says("sync", after=0)
        laptop.sends("bob", key=KEY)
        told = driver.settle()
        assert [one["dup"] for one in bodies(told) if one["op"] == "sent"] == [False, False, True]
        assert driver.view.user("bob").planned == 2

    def test_I4_a_resend_parked_behind_its_connect_is_a_duplicate(self) -> None:
        driver = Driver()
        ann = driver.open("ann")
        ann.sends("bob")
        driver.turn()
        ann.sends("bob", key=KEY)
        ann.sends("bob", key=KEY)
        driver.turn()
        again = driver.stranger()
        again.says("connect", token=driver.token("ann"), device="laptop")
        again.sends("bob", key=KEY)
        driver.settle()
        assert driver.view.user("bob").planned == 2


class TestOpenIds:
    def test_an_id_is_used_by_one_open_command_at_a_time(self) -> None:
        driver = Driver()
        ann, bob = driver.open("ann"), driver.open("bob")
        ann.sends("bob", id=7)
        ann.sends("bob", id=7)
        bob.sends("ann", id=7)
        (answer,) = bodies(driver.turn())
        assert (answer["id"], answer["code"], answer["field"]) == (7, "bad_request", "id")
        assert len(bodies(driver.sync())) == 2
        ann.sends("bob", id=7)
        assert bodies(driver.settle())[0]["op"] == "sent"

    def test_I8_sends_in_flight_are_bounded(self) -> None:
        driver = Driver(limits={"sends_in_flight": 2})
        ann = driver.open("ann")
        for _ in range(2):
            ann.sends("bob")
        late = ann.sends("bob")
        (answer,) = bodies(driver.turn())
        assert (answer["id"], answer["code"], answer["retryable"]) == (late, "rate_limited", True)
        assert answer["retry_after_ms"] > 0
        driver.sync()
        assert ann.asks("send", to="user:bob", key=KEY, text="hi")["op"] == "sent"

    def test_I8_those_of_a_commit_under_way_and_of_the_next_one_count_together(self) -> None:
        driver = Driver(limits={"sends_in_flight": 2})
        ann = driver.open("ann")
        for _ in range(2):
            ann.sends("bob")
            assert driver.turn() == []
        ann.sends("bob")
        assert bodies(driver.turn())[0]["code"] == "rate_limited"

    def test_I4_a_resend_is_answered_whatever_the_limits_say(self) -> None:
        driver = Driver(limits={"sends_in_flight": 1, "sends_burst": 1, "sends_per_second": 1})
        ann = driver.open("ann")
        ann.asks("send", to="user:bob", key=KEY, text="hi")
        for _ in range(3):
            ann.sends("bob", key=KEY)
        assert [one["dup"] for one in bodies(driver.settle())] == [True] * 3


class TestRates:
    def test_I8_who_sends_too_fast_is_told_when_to_come_again(self) -> None:
        driver = Driver(limits={"sends_burst": 1, "sends_per_second": 10})
        ann = driver.open("ann")
        assert ann.asks("send", to="user:bob", key=KEY, text="hi")["op"] == "sent"
        ann.sends("bob", key=KEY + "2")
        (refusal,) = bodies(driver.settle())
        assert (refusal["code"], refusal["retryable"]) == ("rate_limited", True)
        driver.later(refusal["retry_after_ms"])
        assert ann.asks("send", to="user:bob", key=KEY + "2", text="hi")["op"] == "sent"

    def test_I8_a_flood_ends_the_line_with_4013(self) -> None:
        driver = Driver(limits={"sends_burst": 1, "sends_per_second": 1})
        ann = driver.open("ann")
        closes = []
        for _ in range(12):
            for _ in range(4):
                ann.sends("bob")
            closes += [told for told in driver.settle() if told.kind == "close"]
            driver.later(1_000)
        assert {(told.conn, told.code) for told in closes} == {(ann.conn, CODES["RATE_LIMITED"])}

    def test_a_refused_send_leaves_no_trace(self) -> None:
        driver = Driver(limits={"sends_burst": 1, "sends_per_second": 1})
        ann = driver.open("ann")
        ann.sends("bob")
        ann.sends("bob", key=KEY)
        driver.settle()
        driver.later(1_000)
        assert ann.asks("send", to="user:bob", key=KEY, text="other")["n"] == 2


@pytest.mark.parametrize("encoding", [JSON, MSGPACK])
def test_I8_sends_are_unavailable_when_too_many_wait_for_the_disk(encoding: int) -> None:
    driver = Driver(limits={"commit_queue": 3, "sends_per_second": 0, "sends_per_second_user": 0})
    ann = driver.open("ann", encoding=encoding)
    for _ in range(4):
        ann.sends("bob")
    (answer,) = bodies(driver.turn())
    assert (answer["code"], answer["retryable"]) == ("unavailable", True)
    assert answer["retry_after_ms"] > 0
    assert len(bodies(driver.settle())) == 3


class TestRefusalsByState:
    """I2: who is refused because of a change hears it when the change cannot be lost any more."""

    @pytest.mark.parametrize(
        ("op", "fields"),
        [
            ("send", {"to": "group:g", "text": "hi"}),
            ("react", {"conv": "group:g", "n": 3, "emoji": "x"}),
            ("group.update", {"conv": "group:g", "name": "ours"}),
            ("read", {"conv": "group:g", "n": 2}),
            ("typing", {"conv": "group:g", "state": "start"}),
        ],
    )
    def test_I2_it_waits_for_the_removal_that_it_rests_on(
        self, op: str, fields: dict[str, object]
    ) -> None:
        team = Team()
        team.ann.says("group.remove", conv="group:g", key=team.key(), members=["bob"])
        team.bob.says(op, key="key-of-bob", **fields)
        assert team.driver.turn() == []
        told = [body for body in bodies(team.driver.sync()) if body["op"] == "error"]
        assert [error["code"] for error in told] == ["forbidden"]

    def test_I2_a_removal_that_a_crash_takes_back_has_refused_nobody(self) -> None:
        team = Team()
        team.ann.says("group.remove", conv="group:g", key=team.key(), members=["bob"])
        team.bob.says("send", to="group:g", key="key-of-bob", text="hi")
        assert team.driver.turn() == []
        team.driver.store.crash()
        bob = Driver(team.driver.store).open("bob")
        assert bob.asks("send", to="group:g", key="key-of-bob", text="hi")["op"] == "sent"

    def test_with_nothing_on_its_way_it_comes_at_once(self) -> None:
        team = Team()
        team.cat.says("send", to="group:g", key="key-of-cat", text="hi")
        (error,) = bodies(team.driver.turn())
        assert (error["code"], error["field"]) == ("forbidden", "to")

    def test_it_does_not_hold_back_what_comes_behind_it(self) -> None:
        team = Team()
        team.ann.says("send", to="group:g", key="key-of-ann", text="hi")
        refused = team.cat.says("send", to="group:g", key="key-of-cat", text="hi")
        done = team.cat.says("send", to="user:ann", key="key-of-cat", text="hi")
        told = [body for body in bodies(team.driver.settle()) if "id" in body]
        assert {body["id"]: body["op"] for body in told if body["id"] in (refused, done)} == {
            refused: "error",
            done: "sent",
        }

    def test_I8_those_that_wait_count_as_in_flight(self) -> None:
        team = Team(driver=Driver(limits={"sends_in_flight": 2}))
        team.ann.says("send", to="group:g", key="key-of-ann", text="hi")
        for _ in range(3):
            team.cat.says("send", to="group:g", key=team.key(), text="hi")
        (error,) = bodies(team.driver.turn())
        assert (error["code"], error["retryable"]) == ("rate_limited", True)
        told = [body for body in bodies(team.driver.sync()) if body["op"] == "error"]
        assert [error["code"] for error in told] == ["forbidden"] * 2
