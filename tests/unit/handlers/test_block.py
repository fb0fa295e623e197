from __future__ import annotations

import pytest

from .driver import Driver, bodies


@pytest.mark.parametrize("op", ["block", "unblock"])
def test_connect_comes_first(op: str) -> None:
    assert Driver().stranger().asks(op, user="bob")["code"] == "unauthorized"


@pytest.mark.parametrize("op", ["block", "unblock"])
def test_nobody_blocks_himself(op: str) -> None:
    answer = Driver().open("ann").asks(op, user="ann")
    assert (answer["code"], answer["field"]) == ("bad_request", "user")


def test_I1_ok_comes_when_it_is_durable() -> None:
    driver = Driver()
    ann = driver.open("ann")
    ann.says("block", user="bob")
    assert driver.turn() == []
    assert bodies(driver.sync())[0]["op"] == "ok"
    driver.store.crash()
    again = Driver(driver.store)
    bob = again.open("bob")
    bob.sends("ann")
    (answer,) = bodies(again.settle())
    assert (answer["code"], answer["field"]) == ("forbidden", "to")


def test_from_the_command_on_nothing_more_comes_through() -> None:
    driver = Driver()
    ann, bob = driver.open("ann"), driver.open("bob")
    before = bob.sends("ann")
    ann.says("block", user="bob")
    after = bob.sends("ann")
    codes = {body["id"]: body.get("code") for body in bodies(driver.settle())}
    assert (codes[before], codes[after]) == (None, "forbidden")


def test_who_is_blocked_hears_what_a_stranger_hears() -> None:
    driver = Driver()
    ann, bob = driver.open("ann"), driver.open("bob")
    ann.asks("block", user="bob")
    refused = bob.asks("send", to="user:ann", key="key-0001", text="hi")
    stranger = bob.asks("send", to="group:none", key="key-0001", text="hi")
    del refused["id"], stranger["id"]
    assert refused == stranger


def test_it_goes_one_way_and_leaves_groups_alone() -> None:
    driver = Driver()
    ann, bob = driver.open("ann"), driver.open("bob")
    ann.asks("group.create", key="key-make", group="g", members=["bob"])
    ann.asks("block", user="bob")
    assert ann.asks("send", to="user:bob", key="key-0001", text="hi")["op"] == "sent"
    assert bob.asks("send", to="group:g", key="key-0001", text="hi")["op"] == "sent"


def test_twice_is_once() -> None:
    driver = Driver()
    ann = driver.open("ann")
    entries = driver.journal.entries
    for _ in range(2):
        assert ann.asks("block", user="bob")["op"] == "ok"
    assert driver.journal.entries == entries + 1
    ann.says("block", user="cat")
    ann.says("block", user="cat")
    assert driver.turn() == []
    assert [body["op"] for body in bodies(driver.settle())] == ["ok", "ok"]
