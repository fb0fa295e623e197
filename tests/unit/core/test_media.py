"""Uploads as messages see them: named only if there, kept as long as they are named."""

from __future__ import annotations

import pytest

from hivewire.core.entries import ChangeEntry, Rejection, SendEntry
from hivewire.core.media import find_upload, is_named, stored_bytes
from hivewire.store.verify import verify

from .driver import Driver

pytestmark = pytest.mark.unit
CAT, DOG = "0c" * 32, "0d" * 32


@pytest.fixture
def driver() -> Driver:
    return Driver()


def uploaded(driver: Driver, *names: str) -> None:
    for media in names:
        driver.upload(media)
    driver.settle()


def test_a_message_names_what_was_uploaded(driver: Driver) -> None:
    uploaded(driver, CAT)
    entry = driver.send("bob", "user:ann", media=[CAT])
    assert isinstance(entry, SendEntry)
    assert is_named(CAT, driver.view), "before it is durable too"
    driver.settle()
    assert is_named(CAT, driver.view)
    assert verify(driver.store).problems == []


@pytest.mark.parametrize("media", [[DOG], [CAT, DOG], ["x"]])
def test_it_names_nothing_else(driver: Driver, media: list[str]) -> None:
    uploaded(driver, CAT)
    refusal = driver.send("bob", "user:ann", media=media)
    assert isinstance(refusal, Rejection)
    assert (refusal.code, refusal.field, refusal.retryable) == ("not_found", "media", False)


def test_an_upload_may_be_named_before_it_is_durable_since_it_is_so_first(driver: Driver) -> None:
    driver.upload(CAT)
    assert isinstance(driver.send("ann", "user:bob", media=[CAT]), SendEntry)
    driver.crash()
    assert driver.log("direct:ann,bob") == []
    assert find_upload(CAT, driver.view) is None


def test_what_is_named_stays_and_what_is_not_goes(driver: Driver) -> None:
    uploaded(driver, CAT, DOG)
    driver.sent("ann", "user:bob", media=[CAT, CAT])
    assert driver.drop(CAT) is None
    gone = driver.drop(DOG)
    assert gone is not None
    assert (gone.media, gone.total) == (DOG, 100)
    assert isinstance(driver.send("ann", "user:bob", media=[DOG]), Rejection), "at once"
    driver.settle()
    assert isinstance(driver.send("ann", "user:bob", media=[DOG]), Rejection)
    assert verify(driver.store).problems == []


def test_what_is_young_stays(driver: Driver) -> None:
    uploaded(driver, CAT)
    upload = find_upload(CAT, driver.view)
    assert upload is not None
    assert driver.drop(CAT, upload.ts) is None
    assert driver.drop(CAT, upload.ts + 1) is not None


def test_a_message_on_its_way_keeps_it(driver: Driver) -> None:
    uploaded(driver, CAT)
    driver.send("ann", "user:bob", media=[CAT])
    assert driver.drop(CAT) is None


def test_a_recall_lets_it_go_unless_another_message_names_it(driver: Driver) -> None:
    uploaded(driver, CAT)
    driver.sent("ann", "user:bob", media=[CAT])
    driver.sent("ann", "user:bob", media=[CAT])
    assert isinstance(driver.recall("ann", "direct:ann,bob", 1), ChangeEntry)
    driver.settle()
    assert driver.drop(CAT) is None
    driver.recall("ann", "direct:ann,bob", 2)
    assert not is_named(CAT, driver.view), "planned"
    driver.settle()
    assert driver.drop(CAT) is not None
    driver.settle()
    assert verify(driver.store).problems == []


def test_a_recall_of_a_message_that_is_on_its_way_lets_it_go_too(driver: Driver) -> None:
    uploaded(driver, CAT)
    driver.send("ann", "user:bob", media=[CAT])
    driver.recall("ann", "direct:ann,bob", 1)
    driver.settle()
    assert not is_named(CAT, driver.view)
    assert verify(driver.store).problems == []


def test_the_same_bytes_count_once(driver: Driver) -> None:
    uploaded(driver, CAT)
    first = find_upload(CAT, driver.view)
    driver.upload(CAT, "bob")
    assert stored_bytes(driver.view) == 100
    driver.settle()
    second = find_upload(CAT, driver.view)
    assert first is not None
    assert second is not None
    assert (first.user, second.user) == ("ann", "bob")
    assert second.ts > first.ts, "its time begins anew"
    driver.upload(DOG, size=11)
    assert stored_bytes(driver.view) == 111
    driver.settle()
    driver.drop(DOG)
    driver.settle()
    assert stored_bytes(driver.view) == 100


def test_I4_a_resend_is_answered_whatever_became_of_the_upload(driver: Driver) -> None:
    uploaded(driver, CAT)
    key = driver.key()
    first = driver.sent("ann", "user:bob", key=key, media=[CAT])
    driver.recall("ann", "direct:ann,bob", 1)
    driver.settle()
    driver.drop(CAT)
    driver.settle()
    again = driver.send("ann", "user:bob", key=key, media=[CAT])
    assert (type(again).__name__, getattr(again, "n", None)) == ("Duplicate", first.n)
