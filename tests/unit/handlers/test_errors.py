from __future__ import annotations

import pytest

from hivewire.core.entries import Rejection
from hivewire.delivery import JSON, MSGPACK, Caller
from hivewire.handlers.errors import refuse

from .driver import CODES, Driver, Line, bodies, kinds

BAD = b'{"op":"send","id":0}'


def spoil(line: Line, times: int) -> list[str]:
    for _ in range(times):
        line.says_raw(BAD)
    return kinds(line.driver.turn())


class TestTheErrorObject:
    def test_it_carries_the_id_of_its_command(self) -> None:
        driver = Driver()
        answer = driver.open("ann").asks("send", id=7, to="nobody", key="key-00000001", text="hi")
        assert answer == {
            "op": "error", "id": 7, "code": "bad_request", "message": "`to` is malformed",
            "field": "to", "retryable": False,
        }  # fmt: skip

    def test_without_an_id_it_says_for_what(self) -> None:
        driver = Driver()
        driver.open("ann").says_raw(BAD)
        (answer,) = bodies(driver.turn())
        assert (answer["code"], answer["field"], answer["for"]) == ("bad_request", "id", "send")
        assert "id" not in answer

    @pytest.mark.parametrize(("encoding", "frame"), [(JSON, b"{"), (MSGPACK, b"\xc1")])
    def test_I9_of_a_message_that_does_not_parse_it_says_neither(
        self, encoding: int, frame: bytes
    ) -> None:
        driver = Driver()
        driver.open("ann", encoding=encoding).says_raw(frame)
        (answer,) = bodies(driver.turn())
        assert set(answer) == {"op", "code", "message", "retryable"}

    def test_what_may_succeed_later_says_when(self) -> None:
        driver = Driver()
        caller = Caller(driver.open("ann").conn, "ann", "phone", JSON, None)
        later = Rejection("unavailable", "soon", retryable=True, retry_after_ms=50)
        refuse(later, 1, "send", caller, driver.services)
        driver.delivery.flush()
        (answer,) = bodies(driver.told())
        assert (answer["retryable"], answer["retry_after_ms"]) == (True, 50)


class TestMistakes:
    def test_I9_ten_in_a_minute_are_4501(self) -> None:
        driver = Driver()
        ann = driver.open("ann")
        assert spoil(ann, 9) == ["send"] * 9
        ann.says_raw(BAD)
        told = driver.turn()
        assert kinds(told) == ["send", "close"]
        assert (told[1].conn, told[1].code) == (ann.conn, CODES["BAD_REQUEST"])

    def test_they_are_forgiven_after_a_minute(self) -> None:
        driver = Driver()
        ann = driver.open("ann")
        for _ in range(3):
            assert spoil(ann, 9) == ["send"] * 9
            driver.later(60_000)

    def test_lines_are_judged_one_by_one(self) -> None:
        driver = Driver()
        for name in ("ann", "bob"):
            assert spoil(driver.open(name), 9) == ["send"] * 9

    @pytest.mark.parametrize("encoding", [JSON, MSGPACK])
    def test_refusals_that_good_clients_get_do_not_count(self, encoding: int) -> None:
        driver = Driver()
        ann = driver.open("ann", encoding=encoding)
        for _ in range(20):
            assert ann.asks("send", to="group:g", key="key-00000001", text="")["code"]
            driver.later(6_001)
            assert ann.asks("send", to="group:g", key="key-00000001", text="hi")["code"] == (
                "forbidden"
            )


def test_I8_a_made_up_op_does_not_name_a_metric() -> None:
    driver = Driver(limits={"bad_per_minute": 1_000})
    ann = driver.open("ann")
    for number in range(100):
        ann.says(f"op-{number}")
    assert {body["code"] for body in bodies(driver.turn())} == {"unsupported"}
    assert [key for key in driver.metrics.commands if key[1] == "unsupported"] == [
        ("unknown", "unsupported")
    ]


def test_refusals_are_counted_by_op_and_code() -> None:
    driver = Driver()
    ann = driver.open("ann")
    ann.says_raw(BAD)
    ann.says_raw(b"{")
    driver.turn()
    assert driver.metrics.commands["send", "bad_request"] == 1
    assert driver.metrics.commands["none", "bad_request"] == 1
