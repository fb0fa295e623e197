from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.core import events
from hivewire.core.limits import LISTING_BYTES, SMALL_GROUP
from hivewire.core.listing import channels_of, conversations_of, listing, peers
from hivewire.core.unread import Budget, OutOfBudget

from .driver import Driver

Item = dict[str, Any]


def listed(
    driver: Driver, user: str = "ann", limit: int = 100, messages: int = 0, **more: Any
) -> list[Item]:
    """All pages, one after the other."""
    items: list[Item] = []
    before: str | None = None
    while True:
        page, before = listing(
            driver.view, user, limit, before, messages, shown=events.decode, **more
        )
        assert page or before is None
        items += page
        if before is None:
            return items


def item(driver: Driver, user: str, conv: str, messages: int = 0) -> Item:
    (found,) = [one for one in listed(driver, user, messages=messages) if one["conv"] == conv]
    return found


conversations = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.booleans()), min_size=1, max_size=20
)


@given(conversations, st.integers(1, 9), st.integers(0, 3), st.integers(100, 3_000))
def test_page_by_page_nothing_is_lost_and_nothing_repeated(
    sends: list[tuple[str, bool]], limit: int, messages: int, max_bytes: int
) -> None:
    driver = Driver()
    newest: dict[str, int] = {}
    for other, at_once in sends:
        driver.now -= at_once
        entry = driver.send("ann", f"user:{other}", "x" * 50)
        newest[entry.conv] = entry.ts  # type: ignore[union-attr]
    driver.settle()
    found = listed(driver, "ann", limit, messages, max_bytes=max_bytes)
    assert [one["conv"] for one in found] == sorted(
        newest, key=lambda conv: (newest[conv], conv), reverse=True
    )


@given(st.integers(1, 12), st.integers(300, 4_000))
def test_a_page_is_no_larger_than_its_bound_unless_it_is_one_item(count: int, bound: int) -> None:
    driver = Driver()
    for number in range(count):
        for _ in range(3):
            driver.send("ann", f"user:u{number}", "x" * 100)
    driver.settle()
    items, _ = listing(driver.view, "ann", 100, None, 3, shown=events.raw, max_bytes=bound)
    assert len(items) == 1 or len(events.encode(items)) <= bound + 20 * len(items)


steps = st.one_of(
    st.tuples(st.just("send"), st.sampled_from(["ann", "bob", "cat"]), st.just(0)),
    st.tuples(st.just("read"), st.sampled_from(["ann", "bob"]), st.integers(0, 30)),
    st.tuples(st.just("recall"), st.just("ann"), st.integers(1, 30)),
    st.tuples(st.just("react"), st.just("bob"), st.integers(1, 30)),
    st.tuples(st.sampled_from(["leave", "look"]), st.just("bob"), st.just(0)),
)


def counted(driver: Driver, user: str, conv: str) -> int:
    """What is unread, counted by hand."""
    state = driver.view.existing(conv)
    member = driver.view.member(state, user)
    assert member is not None
    read = max(driver.view.marks.load(conv, user).read, member.since)
    return sum(
        body["type"] == "message"
        and body["n"] > read
        and body["from"] != user
        and "recalled" not in body
        for body in driver.log(conv)
    )


@given(st.lists(steps, max_size=30))
def test_unread_is_what_can_be_counted(todo: list[tuple[str, str, int]]) -> None:
    driver, conv = Driver(), "group:g"
    driver.create("ann", "bob", "cat", history="joined")
    for what, who, n in todo:
        if what == "send":
            driver.send(who, conv)
        elif what == "recall":
            driver.recall(who, conv, n)
        elif what == "react":
            driver.react(who, conv, n, "x")
        elif what == "leave":
            driver.leave(who, conv)
            driver.add("ann", conv, who)
        driver.settle()
        if what == "read" and n <= driver.view.existing(conv).durable:
            driver.read(who, conv, n)
        for user in ("ann", "bob", "cat") if what == "look" else ():
            assert item(driver, user, conv)["unread"] == counted(driver, user, conv)
    driver.settle()
    for user in ("ann", "bob", "cat"):
        assert item(driver, user, conv)["unread"] == counted(driver, user, conv)


class TestItem:
    def test_last_are_the_newest_messages_as_they_are_now(self) -> None:
        driver = Driver()
        for text in ("one", "two", "three"):
            driver.send("bob", "user:ann", text)
        driver.edit("bob", "direct:ann,bob", 2, "zwei")
        driver.settle()
        last = item(driver, "ann", "direct:ann,bob", messages=2)["last"]
        assert [message["text"] for message in last] == ["zwei", "three"]

    def test_who_joined_later_sees_no_message_from_before(self) -> None:
        driver = Driver()
        driver.create("ann", "bob", history="joined")
        driver.send("bob", "group:g", "early")
        driver.add("ann", "group:g", "cat")
        driver.send("bob", "group:g", "late")
        driver.settle()
        found = item(driver, "cat", "group:g", messages=5)
        assert [message["text"] for message in found["last"]] == ["late"]
        assert (found["unread"], found["head"], found["read"]) == (1, 5, 4)

    def test_fewer_messages_where_more_do_not_fit(self) -> None:
        driver = Driver()
        for _ in range(20):
            driver.send("bob", "user:ann", "x" * 16_000)
        driver.settle()
        (found,) = listed(driver, messages=20)
        assert len(found["last"]) == 16
        assert len(events.encode(found)) <= LISTING_BYTES

    def test_a_talk_with_oneself(self) -> None:
        driver = Driver()
        driver.sent("ann", "user:ann")
        found = item(driver, "ann", "direct:ann,ann")
        assert (found["peers"], found["unread"], found["kind"]) == ({}, 0, "direct")


class TestPeers:
    @pytest.mark.parametrize(("size", "named"), [(SMALL_GROUP, True), (SMALL_GROUP + 1, False)])
    def test_in_direct_chats_and_small_groups(self, size: int, named: bool) -> None:
        driver = Driver()
        names = [f"u{number:03}" for number in range(size - 1)]
        driver.create("ann", *names, bound=500)
        driver.settle()
        assert ("peers" in item(driver, "ann", "group:g")) == named

    def test_they_are_the_others_with_their_marks(self) -> None:
        driver = Driver()
        driver.create("ann", "bob", "cat")
        driver.settle()
        driver.send("ann", "group:g")
        driver.settle()
        driver.read("bob", "group:g", 3)
        assert peers(driver.store, "group:g", "ann") == {
            "bob": {"delivered": 3, "read": 3},
            "cat": {"delivered": 2, "read": 2},
        }

    @pytest.mark.parametrize("user", ["ann", "zoe"])
    def test_I8_there_are_never_more_than_a_hundred(self, user: str) -> None:
        driver = Driver()
        names = [f"u{number:03}" for number in range(SMALL_GROUP + 20)]
        driver.create("ann", "zoe", *names, bound=500)
        driver.settle()
        found = peers(driver.store, "group:g", user)
        assert len(found) == SMALL_GROUP
        assert user not in found


@pytest.mark.parametrize("before", ["", "x", ".group:g", "9" * 5_000])
def test_before_must_be_what_an_earlier_listing_gave(before: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever says that it is no number
        listing(Driver().view, "ann", 10, before, 0, shown=events.decode)


def test_channels_of_a_user() -> None:
    driver = Driver()
    driver.create("ann", "bob")
    driver.create("ann", "bob", kind="channel", group="c")
    driver.create("ann", "bob", kind="channel", group="a")
    driver.sent("ann", "user:bob")
    assert channels_of(driver.store, "bob") == ["channel:a", "channel:c"]
    driver.leave("bob", "channel:a")
    driver.settle()
    assert channels_of(driver.store, "bob") == ["channel:c"]


def test_I8_many_conversations_are_looked_up_in_several_turns() -> None:
    driver = Driver()
    for number in range(30):
        driver.send("ann", f"user:u{number:02}")
    driver.settle()
    turns = 1
    while True:
        try:
            found = conversations_of(driver.view, "ann", Budget(rows=64))
            break
        except OutOfBudget as more:
            more.work()
            turns += 1
    assert turns == 4
    assert {one.conv for one in found} == {f"direct:ann,u{number:02}" for number in range(30)}
    assert all(one.head == 1 for one in found)
