from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.core.entries import CursorEntry, Duplicate, Pending, Rejection, SendEntry
from hivewire.store import keys

from .driver import Driver

KEY = "01JD8ZK3V6P0Q2R4S6T8V0X2Z4"


def refused(outcome: object) -> tuple[str, str | None]:
    assert isinstance(outcome, Rejection), outcome
    return outcome.code, outcome.field


def duplicate(first: SendEntry) -> Duplicate:
    return Duplicate(first.conv, first.n, first.seq, first.ts, keys.OP_SEND)


def test_the_first_message_is_n_1_and_takes_a_place_in_both_timelines() -> None:
    driver = Driver()
    driver.sent("ann", "user:cat")
    entry = driver.sent("bob", "user:ann")
    assert (entry.conv, entry.n) == ("direct:ann,bob", 1)
    assert (entry.seq, entry.members) == (1, (("ann", 2), ("bob", 1)))


def test_a_message_to_oneself_takes_one_place() -> None:
    entry = Driver().sent("ann", "user:ann")
    assert (entry.conv, entry.members) == ("direct:ann,ann", (("ann", 1),))


def test_planning_changes_nothing_until_applied() -> None:
    driver = Driver()
    driver.send("ann", "user:bob")
    second = driver.send("ann", "user:bob")
    assert isinstance(second, SendEntry)
    assert (second.n, second.seq) == (2, 2)
    assert driver.view.user("ann").durable == 0


@pytest.mark.parametrize("to", ["user:bob", "direct:ann,bob"])
def test_I4_the_same_key_gives_the_original_answer_by_either_name_of_the_target(to: str) -> None:
    driver = Driver()
    first = driver.sent("ann", "user:bob", key=KEY)
    assert driver.send("ann", to, key=KEY) == duplicate(first)


def test_I4_a_resend_under_way_is_told_only_when_the_first_is_durable() -> None:
    driver = Driver()
    first = driver.send("ann", "user:bob", key=KEY)
    assert isinstance(first, SendEntry)
    again = driver.send("ann", "user:bob", key=KEY)
    assert again == Pending(duplicate(first))
    assert driver.send("ann", "user:bob", "other", key=KEY) == Pending(
        Rejection("conflict", "this key was used for something else", "key")
    )
    driver.settle()
    assert len(driver.answered) == 1


@pytest.mark.parametrize(
    ("to", "fields"),
    [
        ("user:bob", {"text": "other"}),
        ("user:cat", {}),
        ("direct:ann,cat", {}),
        ("group:any", {}),
        ("direct:bob,cat", {}),
        ("user:bob", {"reply_to": 1}),
        ("user:bob", {"reply_to": 99}),
        ("user:bob", {"mentions": ["bob"]}),
        ("user:bob", {"data": {}}),
        ("user:bob", {"media": ["gone"]}),
    ],
)
def test_I4_another_command_under_a_used_key_is_a_conflict_before_anything_else(
    to: str, fields: dict[str, Any]
) -> None:
    driver = Driver()
    driver.sent("ann", "user:bob", key=KEY)
    assert refused(driver.send("ann", to, key=KEY, **fields)) == ("conflict", "key")


def test_I4_keys_are_a_users_own() -> None:
    driver = Driver()
    driver.sent("ann", "user:bob", key=KEY)
    assert driver.sent("bob", "user:ann", key=KEY).n == 2


def test_I4_a_refused_command_does_not_use_its_key_up() -> None:
    driver = Driver()
    assert refused(driver.send("ann", "group:none", key=KEY)) == ("forbidden", "to")
    assert driver.sent("ann", "user:bob", key=KEY).n == 1


def test_I4_I12_keys_survive_a_crash_after_the_answer() -> None:
    driver = Driver()
    first = driver.sent("ann", "user:bob", key=KEY)
    driver.crash()
    assert driver.send("ann", "user:bob", key=KEY) == duplicate(first)


def test_I12_a_crash_before_the_sync_leaves_places_and_key_free() -> None:
    driver = Driver()
    driver.sent("ann", "user:bob")
    driver.send("ann", "user:bob", "lost", key=KEY)
    driver.journal.commit()
    driver.crash()
    again = driver.sent("ann", "user:bob", "lost", key=KEY)
    assert (again.n, again.seq) == (2, 2)


@pytest.mark.parametrize(
    ("to", "refusal"),
    [
        ("bob", ("bad_request", "to")),
        ("user:", ("bad_request", "to")),
        ("user:b b", ("bad_request", "to")),
        ("direct:bob,ann", ("bad_request", "to")),
        ("direct:ann", ("bad_request", "to")),
        ("direct:bob,cat", ("forbidden", "to")),
        ("group:none", ("forbidden", "to")),
        ("channel:none", ("forbidden", "to")),
    ],
)
def test_targets_that_are_refused(to: str, refusal: tuple[str, str]) -> None:
    assert refused(Driver().send("ann", to)) == refusal


def test_a_conversation_of_others_and_one_that_is_not_there_look_the_same() -> None:
    driver = Driver()
    driver.sent("bob", "user:cat")
    assert driver.send("ann", "direct:bob,cat") == driver.send("ann", "direct:bob,dan")


def test_what_a_message_refers_to_must_be_there() -> None:
    driver = Driver()
    driver.sent("ann", "user:bob")
    assert isinstance(driver.send("bob", "user:ann", reply_to=1), SendEntry)
    assert refused(driver.send("bob", "user:ann", reply_to=3)) == ("not_found", "reply_to")


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.integers(0, 30)), max_size=60
    ),
    st.sets(st.integers(0, 59)),
    st.sets(st.integers(0, 59)),
)
def test_I3_I4_places_are_contiguous_and_keys_make_one_message_whatever_happens(
    sends: list[tuple[str, str, int]], commits: set[int], crashes: set[int]
) -> None:
    driver = Driver(cache_users=2)
    for step, (user, other, key) in enumerate(sends):
        driver.send(user, f"user:{other}", f"to {other}", key=f"key-{key:08}")
        if step in commits:
            driver.settle()
        if step in crashes:
            driver.crash()
    driver.settle()
    for user in "abcd":
        events = [
            event for page in driver.pages(user, limit=7) for event in page.to_dict()["events"]
        ]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        by_conv: dict[str, list[int]] = {}
        for event in events:
            by_conv.setdefault(event["conv"], []).append(event["n"])
        assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_conv.values())
        mine = [event["key"] for event in events if event["from"] == user]
        assert len(mine) == len(set(mine))
    answered = {(entry.user, entry.key) for entry in driver.answered}
    assert len(answered) == len(driver.answered)


class TestConnect:
    def test_a_new_device_starts_at_the_head_and_is_remembered(self) -> None:
        driver = Driver()
        driver.sent("bob", "user:ann")
        plan = driver.connect("ann")
        assert (plan.cursor, plan.head, plan.new_device, plan.reset) == (1, 1, True, False)
        driver.settle()
        driver.crash()
        driver.sent("bob", "user:ann")
        plan = driver.connect("ann")
        assert (plan.cursor, plan.head, plan.new_device, plan.entry) == (1, 2, False, None)

    def test_a_new_device_may_say_where_it_is(self) -> None:
        driver = Driver()
        driver.sent("bob", "user:ann")
        plan = driver.connect("ann", cursor=0)
        assert (plan.cursor, plan.new_device) == (0, True)

    def test_I6_only_connect_moves_a_cursor_back(self) -> None:
        driver = Driver()
        for _ in range(3):
            driver.sent("bob", "user:ann")
        driver.connect("ann", cursor=3)
        driver.settle()
        assert driver.ack("ann", 2) is None
        plan = driver.connect("ann", cursor=1)
        driver.settle()
        driver.crash()
        assert (plan.cursor, driver.connect("ann").cursor) == (1, 1)

    @pytest.mark.parametrize(
        "claim", [{"cursor": 2}, {"epoch": "other"}, {"epoch": "", "cursor": 1}]
    )
    def test_another_epoch_or_a_cursor_above_the_head_resets(self, claim: dict[str, Any]) -> None:
        driver = Driver()
        driver.sent("bob", "user:ann")
        driver.connect("ann", cursor=1)
        driver.settle()
        plan = driver.connect("ann", **claim)
        assert (plan.reset, plan.cursor, plan.head) == (True, 0, 1)
        driver.settle()
        driver.crash()
        assert driver.connect("ann").cursor == 0

    def test_I2_the_head_it_tells_is_durable(self) -> None:
        driver = Driver()
        driver.send("bob", "user:ann")
        driver.journal.commit()
        assert driver.connect("ann").head == 0


class TestAck:
    def test_I6_beyond_the_head_is_refused_and_moves_nothing(self) -> None:
        driver = Driver()
        driver.sent("bob", "user:ann")
        assert refused(driver.ack("ann", 2)) == ("bad_request", "seq")
        assert not driver.view.cursors.dirty

    def test_I2_what_is_not_durable_cannot_be_acknowledged(self) -> None:
        driver = Driver()
        driver.send("bob", "user:ann")
        assert refused(driver.ack("ann", 1)) == ("bad_request", "seq")

    def test_it_moves_forward_and_survives_a_crash_once_written(self) -> None:
        driver = Driver()
        for _ in range(3):
            driver.sent("bob", "user:ann")
        driver.connect("ann", cursor=0)
        driver.settle()
        assert isinstance(driver.ack("ann", 2), CursorEntry)
        assert driver.view.cursors.load("ann", "phone") == 2
        driver.flush_cursors()
        driver.settle()
        driver.crash()
        assert driver.connect("ann").cursor == 2
