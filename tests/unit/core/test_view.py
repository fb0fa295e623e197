from __future__ import annotations

import pytest

from hivewire.core.view import View
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


def test_only_direct_conversations_so_far() -> None:
    with pytest.raises(ValueError, match="direct"):
        View(Memory()).conversation("group:g")
