from __future__ import annotations

import pytest

from hivewire.core.entries import Rejection, SendEntry
from hivewire.core.state import load_user
from hivewire.core.view import View
from hivewire.store import StoreCorrupt
from hivewire.store.memory import Memory

from .driver import Driver


def test_I8_the_caches_are_bounded_and_routes_go_with_their_conversation() -> None:
    driver = Driver(cache_users=3)
    for number in range(20):
        driver.sent("ann", f"user:u{number}")
        driver.send("ann", f"direct:ann,u{number}")
        driver.settle()
    assert len(driver.view.users) <= 3
    assert len(driver.view._conversations) <= 3
    assert {state.conv for state in driver.view.routes.values()} <= set(driver.view._conversations)
    assert driver.sent("ann", "user:u0").n == 3


def test_I3_what_is_not_durable_is_never_dropped() -> None:
    driver = Driver(cache_users=2)
    entries = [driver.send("ann", f"user:u{number}") for number in range(10)]
    assert len(driver.view.users) == 11
    driver.settle()
    assert driver.view.user("ann").durable == len(entries)


def test_preloaded_keys_are_used_once() -> None:
    driver = Driver()
    driver.sent("ann", "user:bob", key="key-used-1")
    view = View(driver.store)
    view.preload_keys([("ann", "key-used-1"), ("ann", "key-free-1")])
    ann = view.user("ann")
    assert view.key_row(ann, "key-used-1") == view.key_row(ann, "key-used-1") is not None
    assert view.key_row(ann, "key-free-1") is None
    assert not view._key_rows


def test_I2_planned_runs_ahead_of_durable_until_release() -> None:
    driver = Driver()
    driver.send("ann", "user:bob")
    ann, conversation = driver.view.user("ann"), driver.view.conversation("direct:ann,bob")
    assert (ann.planned, ann.durable, conversation.planned, conversation.durable) == (1, 0, 1, 0)
    driver.settle()
    assert (ann.planned, ann.durable, conversation.planned, conversation.durable) == (1, 1, 1, 1)
    assert not driver.view.pending


@pytest.mark.parametrize("conv", ["group:g", "channel:g"])
def test_what_was_never_made_is_no_conversation_and_keeps_no_memory(conv: str) -> None:
    view = View(Memory())
    assert view.conversation(conv) is None
    assert not view._conversations
    with pytest.raises(StoreCorrupt):
        view.existing(conv)


def test_a_group_is_there_as_soon_as_it_is_planned() -> None:
    driver = Driver()
    driver.create("ann", "bob")
    group = driver.view.existing("group:g")
    assert (group.planned, group.durable, group.members) == (2, 0, ("ann", "bob"))
    driver.settle()
    assert (group.planned, group.durable) == (2, 2)


@pytest.mark.parametrize("kind", ["group", "channel"])
def test_who_belongs_is_asked_as_planned(kind: str) -> None:
    driver, conv = Driver(), f"{kind}:g"
    driver.create("ann", "bob", kind=kind)
    driver.leave("bob", conv)
    view = driver.view
    group = view.existing(conv)
    assert (view.belongs(group, "ann"), view.belongs(group, "bob")) == (True, False)
    driver.add("ann", conv, "cat")
    assert view.belongs(group, "cat")
    driver.settle()
    again = View(driver.store)
    assert [again.belongs(again.existing(conv), name) for name in ("ann", "bob", "cat")] == [
        True,
        False,
        True,
    ]


def test_who_leaves_is_looked_up_again() -> None:
    driver = Driver()
    driver.create("ann", "bob")
    for user in ("ann", "bob"):
        assert isinstance(driver.send(user, "group:g"), SendEntry)
    driver.leave("bob", "group:g")
    assert isinstance(driver.send("bob", "group:g"), Rejection)
    assert isinstance(driver.send("ann", "group:g"), SendEntry)
    assert set(driver.view.routes) == {("ann", "group:g")}


def test_I3_a_group_made_in_a_small_cache_keeps_what_is_on_its_way() -> None:
    driver = Driver(cache_users=2)
    names = [f"u{number}" for number in range(5)]
    driver.create("ann", *names, kind="channel")
    driver.create("ann", *names, kind="channel", group="h")
    driver.create("ann", *names)
    for user in ("ann", *names):
        assert (driver.view.user(user).channels, driver.view.user(user).planned) == (2, 6)
    driver.settle()
    for user in ("ann", *names):
        assert load_user(driver.store, user).channels == 2
        assert load_user(driver.store, user).durable == 6


class TestRefused:
    def test_who_is_blocked_is_known_with_the_conversation(self) -> None:
        driver = Driver()
        driver.block("ann", "bob")
        assert driver.view.direct("bob", "ann").refused == {"bob"}
        driver.settle()
        assert View(driver.store).direct("ann", "bob").refused == {"bob"}

    def test_a_block_on_its_way_outlives_the_conversation_in_memory(self) -> None:
        driver = Driver(cache_users=1)
        driver.block("ann", "bob")
        for other in ("cat", "dan"):
            driver.view.direct("ann", other)
        assert "direct:ann,bob" not in driver.view._conversations
        assert driver.view.direct("ann", "bob").refused == {"bob"}
        driver.settle()
        driver.block("ann", "bob", on=False)
        for other in ("cat", "dan"):
            driver.view.direct("ann", other)
        assert driver.view.direct("ann", "bob").refused == frozenset()

    def test_a_talk_with_oneself_has_no_other_side(self) -> None:
        assert Driver().view.direct("ann", "ann").refused == frozenset()


def test_a_change_without_events_is_settled_too() -> None:
    driver = Driver(cache_users=1)
    driver.create("ann", "bob")
    driver.settle()
    driver.add("ann", "group:g", "bob", key="key-nothing")
    driver.view.conversation("direct:x,y")
    assert "group:g" not in driver.view._conversations
    driver.settle()
    assert not driver.view.pending
