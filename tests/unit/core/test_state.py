from __future__ import annotations

import pytest

from hivewire.core.names import direct
from hivewire.core.state import (
    RECENT_EVENTS,
    RECENT_MOST,
    ConversationState,
    block_row,
    load_conversation,
    load_members,
    load_user,
)
from hivewire.store import keys

from .driver import Driver


@pytest.mark.parametrize("stored_cursor", [None, 0, 1, 3])
def test_the_head_is_found_with_and_without_a_cursor(stored_cursor: int | None) -> None:
    driver = Driver()
    for _ in range(3):
        driver.sent("ann", "user:bob")
    state = load_user(driver.store, "ann", stored_cursor)
    assert (state.durable, state.planned, state.floor) == (3, 3, 1)
    conversation = load_conversation(driver.store, direct("ann", "bob").conv)
    assert conversation is not None
    assert conversation.durable == 3


def test_neighbours_in_the_key_space_do_not_matter() -> None:
    driver = Driver()
    for user in ("a", "aa", "ab", "b"):
        driver.sent(user, f"user:{user}")
    driver.sent("aa", "user:aa")
    assert [load_user(driver.store, user).durable for user in ("a", "aa", "ab", "b", "c")] == [
        1,
        2,
        1,
        1,
        0,
    ]


@pytest.mark.parametrize("stored_cursor", [None, 0, 1, 2])
def test_a_trimmed_timeline_keeps_its_head(stored_cursor: int | None) -> None:
    driver = Driver()
    for _ in range(2):
        driver.sent("ann", "user:ann")
    prefix, columns = keys.prefix("ann"), driver.store.columns
    batch = driver.store.batch()
    batch.put(prefix, keys.user_value(3, 0), columns.marks)
    batch.delete_range(prefix, prefix + keys.position(3), columns.timeline)
    driver.store.write(batch)
    state = load_user(driver.store, "ann", stored_cursor)
    assert (state.durable, state.floor) == (2, 3)


def loaded(driver: Driver, conv: str) -> ConversationState:
    state = load_conversation(driver.store, conv)
    assert state is not None
    return state


def described(state: ConversationState) -> tuple[object, ...]:
    return (state.kind, state.created, state.history, state.size, state.name, state.durable)


def test_a_group_comes_back_as_it_was() -> None:
    driver = Driver()
    driver.create("ann", "bob", "cat", name="Team", history="joined")
    driver.update("ann", "group:g", user="bob", role="admin")
    driver.remove("bob", "group:g", "cat")
    driver.settle()
    known, read = driver.view.existing("group:g"), loaded(driver, "group:g")
    assert described(read) == described(known)
    assert (read.roles, read.members) == (known.roles, known.members)
    assert read.roles == {
        "ann": keys.MemberRow(keys.ROLE_OWNER, 0, keys.KIND_GROUP),
        "bob": keys.MemberRow(keys.ROLE_ADMIN, 0, keys.KIND_GROUP),
    }


def test_the_members_of_a_channel_are_not_read() -> None:
    driver = Driver()
    driver.create("ann", "bob", kind="channel")
    driver.settle()
    state = loaded(driver, "channel:g")
    assert (state.is_channel, state.size, state.members, state.roles) == (True, 2, (), {})


def test_all_members_are_read_however_many_there_are() -> None:
    driver, prefix = Driver(), keys.prefix("group:g")
    batch = driver.store.batch()
    for number in range(1500):
        row = keys.member_value(keys.ROLE_MEMBER, number, keys.KIND_GROUP)
        batch.put(prefix + f"u{number:04}".encode(), row, driver.store.columns.members)
    driver.store.write(batch)
    members = load_members(driver.store, prefix)
    assert list(members) == [f"u{number:04}" for number in range(1500)]
    assert members["u0007"].since == 7


def test_there_is_no_group_until_it_is_made() -> None:
    assert load_conversation(Driver().store, "group:g") is None
    assert load_conversation(Driver().store, "channel:g") is None


def test_a_direct_conversation_needs_no_row() -> None:
    state = loaded(Driver(), "direct:ann,bob")
    assert (state.members, state.size, state.durable) == (("ann", "bob"), 2, 0)
    assert loaded(Driver(), "direct:ann,ann").members == ("ann",)


def test_a_user_knows_how_many_channels_there_are() -> None:
    driver = Driver()
    for group in ("g", "h"):
        driver.create("ann", "bob", kind="channel", group=group)
    driver.leave("bob", "channel:g")
    driver.settle()
    for user, channels in (("ann", 2), ("bob", 1), ("cat", 0)):
        assert load_user(driver.store, user).channels == channels
        assert driver.view.user(user).channels == channels


def test_a_user_is_remembered_with_the_last_events() -> None:
    driver = Driver()
    for number in range(1, 3 * RECENT_EVENTS):
        driver.sent("ann", "user:ann")
        recent = driver.view.user("ann").recent
        assert recent is not None
        assert min(number, RECENT_EVENTS) <= len(recent) <= RECENT_MOST
        newest = range(number - len(recent) + 1, number + 1)
        assert recent == [("direct:ann,ann", n, "ann") for n in newest]


def test_a_block_is_no_conversation() -> None:
    driver = Driver()
    driver.block("ann", "cat")
    driver.settle()
    (key,) = driver.store.columns.members.rows
    assert key == block_row("ann", "cat") < keys.prefix("ann") + keys.CONVERSATION_SUFFIX
