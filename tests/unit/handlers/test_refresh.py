from __future__ import annotations

import pytest

from hivewire.auth import check_ticket
from hivewire.delivery import JSON, MSGPACK

from .driver import NOW_S, Driver, Line, bodies


@pytest.mark.parametrize("encoding", [JSON, MSGPACK])
def test_a_newer_token_moves_the_end_of_the_line(encoding: int) -> None:
    driver = Driver()
    ann = driver.open("ann", encoding=encoding)
    number = ann.says("refresh", token=driver.token("ann", ttl=7200))
    (told,) = driver.turn()
    assert (told.kind, told.conn, told.expires_s) == ("refresh", ann.conn, NOW_S + 7200)
    ticket = check_ticket(driver.services.ticket_secret, told.body.pop("ticket"), NOW_S)
    assert ticket == ("ann", "phone", NOW_S + 7200)
    assert told.body == {"op": "ok", "id": number, "token_expires": (NOW_S + 7200) * 1000}


def test_one_within_its_leeway_lasts_as_long_as_that() -> None:
    driver = Driver()
    token = driver.token("ann", ttl=10)
    ann = driver.open("ann")
    driver.later(20_000)
    ann.says("refresh", token=token)
    (told,) = driver.turn()
    assert (told.expires_s, told.body["token_expires"]) == (NOW_S + 70, (NOW_S + 10) * 1000)


def refusal(line: Line, token: str) -> tuple[str, str]:
    """The error; nothing else is told, so the line keeps the token that it has."""
    line.says("refresh", token=token)
    (told,) = line.driver.turn()
    assert told.kind == "send"
    return told.body["code"], told.body["field"]


def test_that_of_another_user_or_device_is_forbidden() -> None:
    driver = Driver()
    ann = driver.open("ann")
    assert refusal(ann, driver.token("bob")) == ("forbidden", "token")
    assert refusal(ann, driver.token("ann", "tv")) == ("forbidden", "token")
    assert ann.asks("refresh", token=driver.token("ann", "phone"))["op"] == "ok"


def test_I9_a_bad_or_expired_one_is_unauthorized() -> None:
    driver = Driver()
    ann = driver.open("ann")
    expired = driver.token("ann", ttl=10)
    driver.later(70_000)
    assert refusal(ann, "a.b.c") == ("unauthorized", "token")
    assert refusal(ann, expired) == ("unauthorized", "token")


def test_before_connect_it_is_unauthorized() -> None:
    driver = Driver()
    driver.stranger().says("refresh", token=driver.token("ann"))
    assert [body["field"] for body in bodies(driver.turn())] == ["op"]
