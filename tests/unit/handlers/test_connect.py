from __future__ import annotations

from typing import Any

import pytest

from hivewire.auth import mint_ticket
from hivewire.delivery import JSON, MSGPACK

from .driver import CODES, NOW_S, Driver, Line, Told, bodies, kinds


def asked(line: Line, **fields: Any) -> list[Told]:
    line.says("connect", **{"device": "phone"} | fields)
    return line.driver.settle()


def refused(line: Line, **fields: Any) -> tuple[list[str], int]:
    """The error codes it got, and the code that it was closed with."""
    told = asked(line, **fields)
    (close,) = [one for one in told if one.kind == "close"]
    assert close.conn == line.conn
    assert not line.driver.engine.sessions
    return [body["code"] for body in bodies(told)], close.code


def test_connected_tells_what_is_granted() -> None:
    driver = Driver(node={"name": "n1"})
    line = driver.stranger()
    (told,) = asked(line, id=1, token=driver.token("ann"))
    assert (told.kind, told.user, told.device, told.position) == ("connected", "ann", "phone", 0)
    assert (told.live, told.expires_s) == (True, NOW_S + 3600)
    ticket = told.body.pop("ticket")
    assert told.body == {
        "op": "connected",
        "id": 1,
        "user": "ann",
        "device": "phone",
        "new_device": True,
        "reset": False,
        "session": f"{line.conn:x}",
        "epoch": driver.store.epoch,
        "head": 0,
        "cursor": 0,
        "trimmed_before": 1,
        "heartbeat": {"interval_ms": 25_000, "timeout_ms": 10_000, "from": "server"},
        "limits": driver.services.limits,
        "server_time": NOW_S * 1000,
        "token_expires": (NOW_S + 3600) * 1000,
        "node": "n1",
    }
    assert driver.stranger().asks("connect", ticket=ticket, device="phone")["user"] == "ann"


def test_connected_says_the_same_in_both_encodings() -> None:
    driver = Driver(node={"name": 'the "first" node'})
    driver.open("bob").asks("send", to="user:ann", key="key-00000001", text="hi")
    answers = []
    for encoding in (JSON, MSGPACK):
        line = driver.stranger(encoding)
        (told,) = asked(line, id=1, token=driver.token("ann"), sync=10, cursor=0)
        answers.append(told.body)
    for answer in answers:
        assert answer.pop("session")
    assert answers[0] | {"new_device": False} == answers[1]
    assert list(answers[0]) == list(answers[1])


def test_it_comes_once() -> None:
    driver = Driver()
    answer = driver.open("ann").asks("connect", token=driver.token("ann"), device="phone")
    assert (answer["code"], answer["field"]) == ("bad_request", "op")


def test_I1_a_new_device_is_durable_before_it_hears_so() -> None:
    driver = Driver()
    driver.stranger().says("connect", token=driver.token("ann"), device="phone")
    assert driver.turn() == []
    assert kinds(driver.sync()) == ["connected"]
    driver.store.crash()
    assert not Driver(driver.store).open("ann").asks("sync", after=0)["events"]
    assert Driver(driver.store).view.cursors.load("ann", "phone") == 0


def test_a_known_device_at_its_cursor_waits_for_no_disk() -> None:
    driver = Driver()
    driver.open("ann").closed()
    driver.stranger().says("connect", token=driver.token("ann"), device="phone")
    (told,) = driver.turn()
    assert told.body["new_device"] is False


@pytest.mark.parametrize("claimed", [None, 1])
def test_I2_a_cursor_that_was_only_gathered_is_durable_before_it_is_told(
    claimed: int | None,
) -> None:
    driver = Driver()
    line = driver.open("ann", cursor=0)
    line.sends("ann")
    driver.settle()
    line.says("ack", seq=1)
    driver.turn()
    (told,) = asked(driver.stranger(), token=driver.token("ann"), cursor=claimed)
    assert told.body["cursor"] == 1
    driver.store.crash()
    (told,) = asked(Driver(driver.store).stranger(), token=driver.token("ann"))
    assert told.body["cursor"] == 1


def test_I2_live_compares_with_the_head_at_the_moment_of_the_answer() -> None:
    """A message that became durable with the new cursor is not pushed to who is not there yet."""
    driver = Driver()
    bob = driver.open("bob")
    bob.sends("ann")
    driver.stranger().says("connect", token=driver.token("ann"), device="phone")
    assert driver.turn() == []
    told = driver.sync()
    assert kinds(told) == ["event", "event", "connected"]
    connected = told[-1]
    assert (connected.position, connected.live, connected.body["head"]) == (0, False, 1)


def test_with_sync_the_position_is_the_end_of_the_first_page() -> None:
    driver = Driver()
    bob = driver.open("bob")
    for _ in range(3):
        bob.sends("ann")
    driver.settle()
    (told,) = asked(driver.stranger(), token=driver.token("ann"), cursor=0, sync=2)
    assert (told.position, told.live) == (2, False)
    assert [event["seq"] for event in told.body["page"]["events"]] == [1, 2]
    (told,) = asked(driver.stranger(), token=driver.token("ann"), device="tv", cursor=0, sync=3)
    assert (told.position, told.live, told.body["page"]["done"]) == (3, True, True)


def test_what_is_said_behind_it_waits_and_runs_in_order() -> None:
    driver = Driver()
    line = driver.stranger()
    line.says("connect", token=driver.token("ann"), device="phone")
    send = line.sends("bob")
    ping = line.says("ping")
    assert driver.turn() == []
    told = driver.settle()
    assert kinds(told) == ["connected", "pong", "event", "event"]
    assert (told[1].id, told[2].answer["id"]) == (ping, send)


class TestTokens:
    def test_of_the_upgrade_request_counts_before_that_of_the_command(self) -> None:
        driver = Driver()
        line = driver.stranger(token=driver.token("ann"))
        assert line.asks("connect", token=driver.token("bob"), device="phone")["user"] == "ann"

    def test_I9_without_any_it_is_4500(self) -> None:
        assert refused(Driver().stranger()) == (["unauthorized"], CODES["BAD_TOKEN"])

    def test_I9_a_bad_one_is_4500(self) -> None:
        assert refused(Driver().stranger(), token="a.b.c") == ([], CODES["BAD_TOKEN"])

    def test_an_expired_one_is_4500_but_has_its_leeway(self) -> None:
        driver = Driver()
        token = driver.token("ann", ttl=10)
        driver.later(30_000)
        (told,) = asked(driver.stranger(), token=token)
        # It may stay as long as the leeway lasts.
        assert told.expires_s == NOW_S + 10 + 60
        assert told.body["token_expires"] == (NOW_S + 10) * 1000
        other = Driver()
        other.later(70_000)
        assert refused(other.stranger(), token=token) == ([], CODES["BAD_TOKEN"])

    def test_one_bound_to_a_device_names_it(self) -> None:
        driver = Driver()
        (told,) = asked(driver.stranger(), token=driver.token("ann", "tv"), device=None)
        assert told.device == "tv"

    @pytest.mark.parametrize("where", ["upgrade", "command"])
    def test_one_bound_to_another_device_is_4507(self, where: str) -> None:
        driver = Driver()
        token = driver.token("ann", "tv")
        if where == "upgrade":
            assert refused(driver.stranger(token=token)) == ([], CODES["FORBIDDEN"])
        else:
            assert refused(driver.stranger(), token=token) == ([], CODES["FORBIDDEN"])

    def test_a_device_must_come_from_somewhere(self) -> None:
        driver = Driver()
        answer = driver.stranger().asks("connect", token=driver.token("ann"))
        assert (answer["code"], answer["field"]) == ("bad_request", "device")


class TestTickets:
    def test_a_good_one_stands_in_for_the_token_and_ends_with_it(self) -> None:
        driver = Driver()
        line = driver.stranger()
        (told,) = asked(line, token=driver.token("ann", ttl=600))
        ticket = told.body["ticket"]
        driver.later(60_000)
        (told,) = asked(driver.stranger(), ticket=ticket, device=None)
        assert (told.user, told.device, told.expires_s) == ("ann", "phone", NOW_S + 600)

    def test_a_stale_one_is_4002(self) -> None:
        driver = Driver()
        ticket = mint_ticket(driver.services.ticket_secret, "ann", "phone", NOW_S + 10, NOW_S)
        driver.later(10_000)
        assert refused(driver.stranger(), ticket=ticket) == ([], CODES["EXPIRED"])

    @pytest.mark.parametrize("spoil", ["secret", "device", "text"])
    def test_I9_a_foreign_one_is_4002(self, spoil: str) -> None:
        driver = Driver()
        secret = bytes(32) if spoil == "secret" else driver.services.ticket_secret
        device = "tv" if spoil == "device" else "phone"
        ticket = mint_ticket(secret, "ann", device, NOW_S + 600, NOW_S)
        if spoil == "text":
            ticket = ticket.replace("ann", "bob")
        assert refused(driver.stranger(), ticket=ticket) == ([], CODES["EXPIRED"])


class TestDevices:
    def test_I8_one_more_than_the_limit_is_4504(self) -> None:
        driver = Driver(limits={"devices": 2})
        for device in ("phone", "tv"):
            driver.open("ann", device)
        line = driver.stranger()
        (told,) = asked(line, token=driver.token("ann"), device="laptop")
        assert (told.kind, told.conn, told.code) == (
            "close", line.conn, CODES["TOO_MANY_CONNECTIONS"],
        )  # fmt: skip

    def test_a_device_that_comes_again_and_other_users_count_nothing(self) -> None:
        driver = Driver(limits={"devices": 1})
        driver.open("ann", "phone")
        driver.open("ann", "phone")
        driver.open("bob", "tv")

    @pytest.mark.parametrize("known", [True, False])
    def test_I8_those_that_come_in_one_turn_count(self, known: bool) -> None:
        driver = Driver(limits={"devices": 2})
        names = [f"d{number}" for number in range(6)]
        if known:
            for name in names:
                line = driver.open("ann", name)
                line.closed()
                driver.turn()
        for name in names:
            driver.stranger().says("connect", token=driver.token("ann"), device=name)
        told = kinds(driver.settle())
        assert (told.count("connected"), told.count("close")) == (2, 4)
        assert not driver.services.connecting

    def test_a_place_is_free_again_when_its_device_has_left(self) -> None:
        driver = Driver(limits={"devices": 1})
        line = driver.open("ann", "phone")
        line.closed()
        driver.turn()
        driver.open("ann", "tv")


class TestTwins:
    """A message gets its MessagePack form while somebody may need it."""

    def test_without_a_messagepack_line_there_is_none(self) -> None:
        driver = Driver()
        driver.open("ann").sends("bob")
        assert [told.msgpack for told in driver.settle()] == [None, None]

    def test_I1_from_the_plan_of_the_connect_on_until_it_is_closed(self) -> None:
        driver = Driver()
        ann = driver.open("ann")
        line = driver.stranger(MSGPACK)
        line.says("connect", token=driver.token("bob"), device="phone")
        ann.sends("bob")
        # The message is released behind `connected`: the line is live when its event comes.
        told = driver.settle()
        assert all(one.msgpack for one in told if one.kind == "event")
        line.closed()
        driver.turn()
        ann.sends("bob")
        assert [told.msgpack for told in driver.settle()] == [None, None]

    def test_a_connect_that_is_refused_counts_nothing(self) -> None:
        driver = Driver()
        refused(driver.stranger(MSGPACK), token="a.b.c")
        assert driver.delivery.msgpack_sessions == 0
