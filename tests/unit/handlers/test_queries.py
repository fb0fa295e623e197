from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hivewire.core.events import Message, encode
from hivewire.core.log import Log
from hivewire.core.unread import ROWS_A_TURN, OutOfBudget
from hivewire.handlers.queries import in_pieces, readable
from hivewire.store import keys

from .driver import Driver, bodies
from .team import Team

if TYPE_CHECKING:
    from collections.abc import Callable

QUESTIONS: dict[str, dict[str, Any]] = {
    "history": {"conv": "group:g"},
    "conversations": {},
    "group.members": {"conv": "group:g"},
    "group.info": {"conv": "group:g"},
    "outcome": {"key": "key-none"},
}


@pytest.mark.parametrize("op", QUESTIONS)
def test_connect_comes_first(op: str) -> None:
    answer = Driver().stranger().asks(op, **QUESTIONS[op])
    assert (answer["code"], answer["field"]) == ("unauthorized", "op")


@pytest.mark.parametrize("op", QUESTIONS)
def test_I2_an_answer_waits_for_all_that_was_written(op: str) -> None:
    team = Team()
    team.bob.says("send", to="group:g", key=team.key(), text="hi")
    number = team.ann.says(op, **QUESTIONS[op])
    assert team.driver.turn() == []
    assert bodies(team.driver.sync())[-1]["id"] == number


def test_what_comes_behind_waits_and_comes_in_its_order() -> None:
    team = Team()
    asked = [
        team.ann.says("send", to="group:g", key=team.key(), text="hi"),
        team.ann.says("history", conv="group:g"),
        team.ann.says("send", to="group:g", key=team.key(), text="hi"),
        team.ann.says("history", conv="group:g"),
    ]
    answers = [body for body in bodies(team.driver.settle()) if body.get("id") in asked]
    assert [answer["id"] for answer in answers] == asked
    assert [len(answer["items"]) for answer in answers[1::2]] == [3, 4]


def test_with_all_durable_it_is_answered_in_the_same_turn() -> None:
    team = Team()
    team.ann.says("history", conv="group:g")
    (answer,) = bodies(team.driver.turn())
    assert answer["op"] == "history"


def test_I8_who_does_not_read_the_answers_gets_no_more() -> None:
    team = Team()
    for _ in range(20):
        team.sends(team.ann, "x" * 16_000)
        team.driver.clock.ms += 1_000
    for _ in range(4):
        team.bob.says("history", conv="group:g", limit=200)
    assert len(bodies(team.driver.settle())) < 4
    for _ in range(4):
        team.bob.drained()
        team.driver.settle()
    assert team.bob.asks("history", conv="group:g", limit=1)["op"] == "history"


class TestReadable:
    def log(self, team: Team, user: str, conv: str | None = None) -> Log | str:
        found = readable(conv or team.conv, user, team.driver.services)
        return found if isinstance(found, Log) else found.code

    def test_a_member_sees_all_or_what_came_after_joining(self) -> None:
        for history, first in (("all", 1), ("joined", 4)):
            team = Team(history=history)
            team.asks(team.ann, "group.add", conv="group:g", members=["cat"])
            team.sends(team.ann)
            prefix = keys.prefix("group:g")
            assert self.log(team, "ann") == Log(prefix, 1, 4)
            assert self.log(team, "cat") == Log(prefix, first, 4)

    @pytest.mark.parametrize("kind", ["group", "channel"])
    def test_who_has_left_and_who_never_was_there_hear_the_same(self, kind: str) -> None:
        team = Team(kind)
        team.asks(team.bob, "group.leave", conv=team.conv)
        assert self.log(team, "bob") == self.log(team, "cat") == "forbidden"
        assert self.log(team, "ann", f"{kind}:none") == "forbidden"

    def test_a_direct_conversation_is_there_before_its_first_message(self) -> None:
        team = Team()
        assert self.log(team, "ann", "direct:ann,cat") == Log(keys.prefix("direct:ann,cat"), 1, 0)
        assert self.log(team, "bob", "direct:ann,cat") == "forbidden"

    def test_I2_what_is_planned_and_not_durable_is_not_shown(self) -> None:
        team = Team()
        team.ann.says("send", to="group:g", key=team.key(), text="hi")
        team.driver.turn()
        assert self.log(team, "ann") == Log(keys.prefix("group:g"), 1, 2)


# -- what is too much for one turn ----------------------------------------------------------------


class Work:
    """A long work: so many pieces until it is done, and then an answer."""

    def __init__(self, driver: Driver, pieces: int) -> None:
        self.left = pieces
        self.waiting: list[Callable[[], None]] = []
        driver.services.later = self.waiting.append
        self.answered = 0

    def piece(self) -> None:
        self.left -= 1
        if self.left > 0:
            raise OutOfBudget(self.piece)

    def answer(self) -> None:
        if self.left > 0:
            raise OutOfBudget(self.piece)
        self.answered += 1


@pytest.mark.parametrize("pieces", [0, 1, 3])
def test_a_long_work_takes_a_turn_a_piece_and_is_answered_once(pieces: int) -> None:
    driver = Driver()
    work = Work(driver, pieces)
    in_pieces(work.answer, driver.services)
    turns = 0
    while work.waiting:
        assert not work.answered
        work.waiting.pop(0)()
        turns += 1
    assert (turns, work.answered) == (pieces, 1)


def test_I8_a_long_count_holds_up_its_own_connection_and_nobody_else() -> None:
    team = Team()
    driver, conv = team.driver, "group:g"
    rows = 3 * ROWS_A_TURN
    batch, prefix = driver.store.batch(), keys.prefix(conv)
    head = driver.view.existing(conv).durable
    for n in range(head + 1, head + rows + 1):
        body = Message(conv, n, "ann", f"key-{n:06}", n, text="hi")
        value = keys.MESSAGE_VERSION + encode(body)
        batch.put(prefix + keys.position(n), value, driver.store.columns.messages)
    driver.store.write(batch)
    driver.store.sync()
    driver.view.existing(conv).durable = driver.view.existing(conv).planned = head + rows
    waiting: list[Callable[[], None]] = []
    driver.services.later = waiting.append
    asked = team.bob.says("conversations")
    team.bob.says("typing", conv=conv, state="start")
    assert bodies(driver.turn()) == []
    assert team.cat.asks("conversations")["items"] == []
    while waiting:
        assert len(waiting) == 1
        driver.gateway.act(waiting.pop())
    told = bodies(driver.told())
    assert [body["id"] for body in told] == [asked, asked + 1]
    assert told[0]["items"][0]["unread"] == rows
