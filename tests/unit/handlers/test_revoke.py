from __future__ import annotations

from hivewire.core.access import load_revocations
from hivewire.core.entries import Rejection
from hivewire.handlers.revoke import FULL, revoke

from .driver import CODES, Driver, Line, Told

DAY = 24 * 3600 * 1000


def revokes(driver: Driver, user: str) -> tuple[int, int] | Rejection:
    """As the backend's call does it, in a turn of the node."""
    done: list[tuple[int, int] | Rejection] = []
    sessions = [(conn, d) for conn, (name, d) in driver.engine.sessions.items() if name == user]
    driver.turn()
    driver.services.now_ms = int(driver.clock.ms)
    done.append(revoke(user, sessions, driver.services))
    driver.journal.commit()
    driver.delivery.flush()
    return done[0]


def comes(driver: Driver, **shown: str) -> Told:
    """What becomes of who shows a token or a ticket."""
    line = driver.stranger()
    line.says("connect", device="phone", **shown)
    return driver.settle()[-1]


def connected(line: Line) -> str:
    return line.asks("connect", token=line.driver.token("ann"), device="phone")["ticket"]


def test_connections_are_closed_and_nobody_elses() -> None:
    driver = Driver()
    ann, _ = driver.open("ann"), driver.open("bob")
    tab = driver.open("ann", "tab")
    since, closed = revokes(driver, "ann")  # type: ignore[misc]
    assert (since, closed) == (int(driver.clock.ms), 2)
    told = [one for one in driver.settle() if one.kind == "close"]
    assert {one.conn for one in told} == {ann.conn, tab.conn}
    assert {one.code for one in told} == {CODES["BAD_TOKEN"]}


def test_tokens_and_tickets_of_before_count_no_more_and_later_ones_do() -> None:
    driver = Driver()
    token = driver.token("ann")
    ticket = driver.stranger().asks("connect", token=token, device="phone")["ticket"]
    driver.later(1_500)
    revokes(driver, "ann")
    assert comes(driver, token=token).code == CODES["BAD_TOKEN"]
    assert comes(driver, ticket=ticket).code == CODES["EXPIRED"]
    # Of the same second too: nobody can tell what came first.
    assert comes(driver, token=driver.token("ann")).code == CODES["BAD_TOKEN"]
    driver.later(1_000)
    back = driver.stranger().asks("connect", token=driver.token("ann"), device="phone")
    assert back["op"] == "connected"
    assert comes(driver, ticket=back["ticket"]).kind == "connected"
    assert comes(driver, ticket=ticket).code == CODES["EXPIRED"]


def test_a_refresh_does_not_get_around_it() -> None:
    driver = Driver()
    old = driver.token("ann")
    driver.later(2_000)
    revokes(driver, "ann")
    driver.later(1_000)
    ann = driver.open("ann")
    assert ann.asks("refresh", token=old)["code"] == "unauthorized"
    fresh = ann.asks("refresh", token=driver.token("ann"))
    assert comes(driver, ticket=fresh["ticket"]).kind == "connected"


def test_who_is_about_to_be_connected_is_closed_too() -> None:
    driver = Driver()
    line = driver.stranger()
    line.says("connect", token=driver.token("ann"), device="phone")
    driver.turn()
    assert driver.services.connecting
    driver.services.now_ms = int(driver.clock.ms)
    assert revoke("ann", (), driver.services)[1] == 1  # type: ignore[index]
    driver.journal.commit()
    driver.delivery.flush()
    assert line.conn in {one.conn for one in driver.settle() if one.kind == "close"}


def test_i1_it_survives_a_power_cut_once_it_is_answered() -> None:
    driver = Driver()
    token = driver.token("ann")
    driver.later(5)
    revokes(driver, "ann")
    driver.settle()
    driver.store.crash()
    again = Driver(driver.store)
    load_revocations(again.store, again.services.verifier.revocations, 0)
    assert comes(again, token=token).code == CODES["BAD_TOKEN"]


def test_i8_so_many_users_and_no_more_until_some_have_expired() -> None:
    driver = Driver()
    auth = driver.settings.auth.model_copy(update={"revocations": 2, "revocations_kept": DAY})
    driver.services.settings = driver.settings.model_copy(update={"auth": auth})
    for user in ("ann", "bob", "ann"):
        assert not isinstance(revokes(driver, user), Rejection)
        driver.later(10)
    assert revokes(driver, "cat") == FULL
    driver.later(DAY)
    assert not isinstance(revokes(driver, "cat"), Rejection)
    revocations = driver.services.verifier.revocations
    assert (len(revocations), revocations.since("ann"), revocations.since("bob")) == (1, 0, 0)
