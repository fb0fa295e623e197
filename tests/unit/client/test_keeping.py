"""The place in the timeline and the records of an event are there together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from hivewire.client.keeping import Keeping
from hivewire.client.session import Session
from hivewire.client.store import Store
from hivewire.client.writer import Writer
from tests.unit.client.test_session import connected, event

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path
    from typing import Any

pytestmark = pytest.mark.unit


class Kept:
    """A session with a store, connected at 0."""

    def __init__(self, store: Store, **answer: Any) -> None:
        self.session = Session("phone", durable=True)
        self.writer = Writer(store, self.fail)
        self.safe: list[int | None] = []
        self.keeping = Keeping(
            store, self.writer, self.session, lambda: self.safe.append(self.session.safe)
        )
        self.outbox = self.keeping.load()
        self.before = self.session.consumed
        self.session.on_connected(connected(self.before or 0, 9) | answer)
        self.keeping.on_connected(reset=answer.get("reset", False))

    def fail(self, error: Exception) -> None:
        raise error

    def take(self, *seqs: int) -> None:
        self.session.live = True
        for seq in seqs:
            self.session.on_event(event(seq))
            self.session.take()
            self.keeping.settle()


@pytest.fixture
def story(tmp_path: Path) -> Callable[[Callable[[Store], Coroutine[Any, Any, None]]], None]:
    def play(one: Callable[[Store], Coroutine[Any, Any, None]]) -> None:
        with Store(tmp_path / "store") as store:
            asyncio.run(one(store))

    return play


Play = "Callable[[Callable[[Store], Coroutine[Any, Any, None]]], None]"


def test_the_place_is_safe_when_it_is_written(story: Play) -> None:
    async def one(store: Store) -> None:
        kept = Kept(store)
        await kept.writer.idle()
        kept.take(1, 2, 3)
        assert (kept.session.consumed, kept.session.safe) == (2, 0)
        await kept.writer.idle()
        assert kept.session.safe == 2
        assert kept.safe[-1] == 2
        assert Kept(store).before == 2

    story(one)


def test_a_record_goes_with_its_event(story: Play) -> None:
    async def one(store: Store) -> None:
        kept = Kept(store)
        kept.take(1)
        kept.keeping.keep("event 1", "one")
        await kept.writer.idle()
        assert kept.keeping.kept("") == {}, "the event is in the application's hands"
        kept.take(2)
        kept.keeping.keep("event 2", "two")
        await kept.writer.idle()
        assert kept.keeping.kept("event") == {"event 1": "one"}
        assert Kept(store).before == 1

    story(one)


def test_without_an_event_in_hand_it_is_written_at_once(story: Play) -> None:
    async def one(store: Store) -> None:
        kept = Kept(store)
        kept.keeping.keep("draft", "hel")
        await kept.writer.idle()
        assert kept.keeping.kept("") == {"draft": "hel"}
        kept.keeping.keep("draft", None)
        await kept.writer.idle()
        assert kept.keeping.kept("") == {}
        with pytest.raises(ValueError, match="name"):
            kept.keeping.keep("", 1)

    story(one)


def test_other_data_empties_the_records_and_sets_the_place(story: Play) -> None:
    async def one(store: Store) -> None:
        kept = Kept(store)
        kept.take(1)
        kept.keeping.keep("event 1", "one")
        kept.take(2)
        await kept.writer.idle()
        again = Kept(store, reset=True, epoch="e2", cursor=0)
        await again.writer.idle()
        assert again.keeping.kept("") == {}
        assert (again.session.safe, again.session.epoch) == (0, "e2")
        assert store.read("state")["place"] == {"cursor": 0, "epoch": "e2"}

    story(one)


def test_the_user_is_known_before_the_line_is(story: Play) -> None:
    async def one(store: Store) -> None:
        await Kept(store).writer.idle()
        session = Session("phone", durable=True)
        Keeping(store, Writer(store, print), session, lambda: None).load()
        assert session.user == "a"

    story(one)


def test_without_a_store_nothing_is_kept() -> None:
    session = Session("phone")
    keeping = Keeping(None, Writer(None, print), session, lambda: None)
    assert keeping.load() == {}
    keeping.keep("a", 1)
    assert keeping.kept("") == {}
