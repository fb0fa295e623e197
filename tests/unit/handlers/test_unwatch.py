from __future__ import annotations

import pytest

from .driver import Driver
from .watching import after, watching

pytestmark = pytest.mark.unit


def test_no_more_is_told_of_these_users() -> None:
    driver, eve = watching("ann", "bob")
    assert eve.asks("unwatch", id=9, users=["ann", "nobody"]) == {"op": "ok", "id": 9}
    driver.open("ann")
    driver.open("bob")
    assert after(driver, 5_000) == [(eve.conn, "bob", "online", None)]


def test_before_connect_it_is_unauthorized() -> None:
    assert Driver().stranger().asks("unwatch", users=["ann"])["code"] == "unauthorized"
