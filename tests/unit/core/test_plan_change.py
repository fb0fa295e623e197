from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.core.entries import ChangeEntry, Duplicate, Pending, Rejection, SendEntry
from hivewire.core.limits import EDITS_A_MESSAGE, EMOJIS_A_MESSAGE
from hivewire.core.plan_change import state_of
from hivewire.store import keys

from .driver import Driver

KEY = "01JD8ZK3V6P0Q2R4S6T8V0X2Z4"
CONV = "direct:ann,bob"


def refused(outcome: object) -> tuple[str, str | None]:
    assert isinstance(outcome, Rejection), outcome
    return outcome.code, outcome.field


def planned(outcome: object) -> ChangeEntry:
    assert isinstance(outcome, ChangeEntry), outcome
    return outcome


def talk() -> Driver:
    """Ann and Bob; ann's message is n 1."""
    driver = Driver()
    driver.sent("ann", "user:bob", "hi")
    return driver


def state(driver: Driver, n: int = 1, conv: str = CONV) -> dict[str, Any]:
    return state_of(driver.view, driver.view.existing(conv), n)


class TestPlaces:
    def test_I3_a_change_is_the_next_event_for_everybody(self) -> None:
        driver = talk()
        entry = planned(driver.edit("ann", CONV, 1, "ho"))
        assert (entry.n, entry.seq) == (2, 2)
        (part,) = entry.parts
        assert (part.n, part.kind, part.members) == (2, keys.TYPE_EDIT, (("ann", 2), ("bob", 2)))
        assert part.body == {
            "type": "edit",
            "conv": CONV,
            "n": 2,
            "from": "ann",
            "key": entry.key,
            "ts": driver.now,
            "target": 1,
            "text": "ho",
        }

    def test_in_a_channel_it_goes_into_no_timeline(self) -> None:
        driver = Driver()
        driver.create("ann", "bob", kind="channel")
        driver.sent("ann", "channel:g")
        entry = planned(driver.react("bob", "channel:g", 3, "👍"))
        assert (entry.n, entry.seq, entry.parts[0].members) == (4, 0, ())

    def test_in_a_talk_with_oneself_it_takes_one_place(self) -> None:
        driver = Driver()
        driver.sent("ann", "user:ann")
        entry = planned(driver.edit("ann", "direct:ann,ann", 1, "ho"))
        assert (entry.seq, entry.parts[0].members) == (2, (("ann", 2),))


class TestKeys:
    def test_I4_the_same_key_gives_the_original_answer(self) -> None:
        driver = talk()
        first = planned(driver.edit("ann", CONV, 1, "ho", key=KEY))
        original = Duplicate(CONV, first.n, first.seq, first.ts, keys.OP_EDIT)
        assert driver.edit("ann", CONV, 1, "ho", key=KEY) == Pending(original)
        driver.settle()
        assert driver.edit("ann", CONV, 1, "ho", key=KEY) == original
        driver.crash()
        assert driver.edit("ann", CONV, 1, "ho", key=KEY) == original

    @pytest.mark.parametrize(
        "again",
        [
            lambda driver: driver.edit("ann", CONV, 1, "he", key=KEY),
            lambda driver: driver.edit("ann", CONV, 2, "ho", key=KEY),
            lambda driver: driver.edit("ann", "direct:ann,cat", 1, "ho", key=KEY),
            lambda driver: driver.edit("ann", "group:none", 1, "ho", key=KEY),
            lambda driver: driver.recall("ann", CONV, 1, key=KEY),
            lambda driver: driver.react("ann", CONV, 1, "ho", key=KEY),
            lambda driver: driver.send("ann", "user:bob", "ho", key=KEY),
            lambda driver: driver.create("ann", key=KEY),
        ],
    )
    def test_I4_anything_else_under_it_is_a_conflict_before_all_else(self, again: Any) -> None:
        driver = talk()
        driver.edit("ann", CONV, 1, "ho", key=KEY)
        driver.settle()
        assert refused(again(driver)) == ("conflict", "key")

    def test_I4_a_refused_change_does_not_use_its_key_up(self) -> None:
        driver = talk()
        assert isinstance(driver.edit("bob", CONV, 1, "ho", key=KEY), Rejection)
        assert isinstance(driver.send("bob", "user:ann", key=KEY), SendEntry)

    def test_I4_a_repetition_is_answered_after_one_has_left(self) -> None:
        driver = Driver()
        driver.create("ann", "bob")
        driver.sent("bob", "group:g")
        first = planned(driver.edit("bob", "group:g", 3, "ho", key=KEY))
        driver.leave("bob", "group:g")
        driver.settle()
        again = driver.edit("bob", "group:g", 3, "ho", key=KEY)
        assert again == Duplicate("group:g", first.n, first.seq, first.ts, keys.OP_EDIT)


class TestWhoMay:
    def test_only_the_author_edits(self) -> None:
        driver = talk()
        assert refused(driver.edit("bob", CONV, 1, "ho")) == ("forbidden", "n")

    def test_in_a_direct_chat_only_the_author_recalls(self) -> None:
        driver = talk()
        assert refused(driver.recall("bob", CONV, 1)) == ("forbidden", "n")
        planned(driver.recall("ann", CONV, 1))

    @pytest.mark.parametrize(
        ("user", "may"), [("owner", True), ("admin", True), ("author", True), ("other", False)]
    )
    def test_in_a_group_who_looks_after_it_recalls_too(self, user: str, may: bool) -> None:
        driver = Driver()
        driver.create("owner", "admin", "author", "other")
        driver.update("owner", "group:g", user="admin", role="admin")
        driver.sent("author", "group:g")
        outcome = driver.recall(user, "group:g", 4)
        assert isinstance(outcome, ChangeEntry) == may
        assert may or refused(outcome) == ("forbidden", "n")

    @pytest.mark.parametrize("conv", [CONV, "group:g", "group:none", "channel:none"])
    def test_a_stranger_learns_nothing(self, conv: str) -> None:
        driver = talk()
        driver.create("ann", "bob")
        driver.settle()
        for outcome in (
            driver.edit("eve", conv, 1, "ho"),
            driver.recall("eve", conv, 1),
            driver.react("eve", conv, 1, "x"),
        ):
            assert refused(outcome) == ("forbidden", "conv")

    def test_who_is_blocked_can_take_back_and_nothing_else(self) -> None:
        driver = talk()
        driver.block("bob", "ann")
        assert refused(driver.edit("ann", CONV, 1, "ho")) == ("forbidden", "conv")
        assert refused(driver.react("ann", CONV, 1, "x")) == ("forbidden", "conv")
        planned(driver.recall("ann", CONV, 1))

    def test_what_was_before_ones_joining_is_not_there(self) -> None:
        driver = Driver()
        driver.create("ann", "bob", history="joined")
        driver.sent("bob", "group:g", "early")
        driver.add("ann", "group:g", "cat")
        driver.sent("ann", "group:g", "late")
        assert refused(driver.react("cat", "group:g", 3, "x")) == ("not_found", "n")
        planned(driver.react("cat", "group:g", 5, "x"))
        driver.remove("ann", "group:g", "bob")
        driver.add("ann", "group:g", "bob")
        assert refused(driver.edit("bob", "group:g", 3, "ho")) == ("not_found", "n")

    def test_with_the_whole_history_one_may_change_what_was_before(self) -> None:
        driver = Driver()
        driver.create("ann", "bob")
        driver.sent("ann", "group:g")
        driver.add("ann", "group:g", "cat")
        planned(driver.react("cat", "group:g", 3, "x"))


class TestTarget:
    @pytest.mark.parametrize("n", [2, 99])
    def test_it_must_be_a_message(self, n: int) -> None:
        driver = talk()
        driver.edit("ann", CONV, 1, "ho")
        for outcome in (driver.edit("ann", CONV, n, "he"), driver.react("bob", CONV, n, "x")):
            assert refused(outcome) == ("not_found", "n")

    @pytest.mark.parametrize("settled", [False, True])
    def test_a_recalled_one_is_no_message_any_more(self, settled: bool) -> None:
        driver = talk()
        driver.recall("ann", CONV, 1)
        if settled:
            driver.settle()
        for outcome in (
            driver.edit("ann", CONV, 1, "ho"),
            driver.recall("ann", CONV, 1),
            driver.react("bob", CONV, 1, "x"),
        ):
            assert refused(outcome) == ("not_found", "n")

    def test_it_may_be_on_its_way_to_the_disk(self) -> None:
        driver = Driver()
        driver.send("ann", "user:bob")
        assert refused(driver.edit("bob", CONV, 1, "ho")) == ("forbidden", "n")
        planned(driver.edit("ann", CONV, 1, "ho"))
        assert refused(driver.react("bob", CONV, 2, "x")) == ("not_found", "n")
        planned(driver.react("bob", CONV, 1, "x"))
        driver.settle()
        assert state(driver)["text"] == "ho"

    def test_a_neighbour_on_its_way_is_another_one(self) -> None:
        driver = Driver()
        driver.send("cat", "user:bob", "other")
        driver.send("ann", "user:bob")
        driver.create("ann", "bob")
        entry = planned(driver.recall("ann", CONV, 1))
        assert [part.body["conv"] for part in entry.parts] == [CONV]


class TestRecall:
    @pytest.mark.parametrize("settled", [False, True])
    def test_the_text_is_gone_from_the_message_and_its_edits(self, settled: bool) -> None:
        driver = talk()
        driver.edit("ann", CONV, 1, "first secret")
        driver.react("bob", CONV, 1, "x")
        if settled:
            driver.settle()
        driver.edit("ann", CONV, 1, "second secret")
        driver.recall("ann", CONV, 1)
        driver.settle()
        assert not any("secret" in str(body) or "hi" in str(body) for body in driver.log(CONV))
        assert [body["type"] for body in driver.log(CONV)] == [
            *("message", "edit", "reaction", "edit", "recall"),
        ]
        assert [body["n"] for body in driver.log(CONV)] == [1, 2, 3, 4, 5]
        assert state(driver) == {"recalled": driver.now}
        assert not any(b"secret" in value for value in driver.rows()["conversations"].values())

    def test_all_members_get_the_event_and_the_places_stay(self) -> None:
        driver = talk()
        driver.recall("ann", CONV, 1)
        driver.settle()
        for user in ("ann", "bob"):
            first, second = driver.timeline(user)
            assert (first["seq"], first["type"], first["recalled"]) == (1, "message", driver.now)
            assert (second["seq"], second["type"], second["target"]) == (2, "recall", 1)


class TestReact:
    def test_to_say_the_same_twice_changes_no_count(self) -> None:
        driver = talk()
        assert len(planned(driver.react("bob", CONV, 1, "x")).effects) == 2
        assert planned(driver.react("bob", CONV, 1, "x")).effects == ()
        driver.settle()
        assert planned(driver.react("bob", CONV, 1, "x")).effects == ()
        assert state(driver) == {"counts": {"x": 1}}

    def test_what_was_not_on_may_be_taken_off(self) -> None:
        driver = talk()
        assert planned(driver.react("bob", CONV, 1, "x", on=False)).effects == ()

    def test_the_last_one_takes_the_emoji_with_it(self) -> None:
        driver = talk()
        driver.react("bob", CONV, 1, "x")
        driver.react("ann", CONV, 1, "x")
        driver.react("bob", CONV, 1, "x", on=False)
        assert state(driver) == {"counts": {"x": 1}}
        driver.react("ann", CONV, 1, "x", on=False)
        assert state(driver) == {"counts": {}}
        driver.settle()
        prefix = keys.reaction_key(keys.prefix(CONV), 1, "x", "")
        assert not any(key.startswith(prefix) for key in driver.rows()["conversations"])

    def test_an_edit_keeps_what_people_felt(self) -> None:
        driver = talk()
        driver.react("bob", CONV, 1, "x")
        driver.edit("ann", CONV, 1, "ho")
        assert state(driver) == {
            "counts": {"x": 1},
            "edited": driver.now,
            "text": "ho",
            "edits": [3],
        }

    def test_I8_different_emojis_are_bounded_and_known_ones_still_count(self) -> None:
        driver = talk()
        for number in range(EMOJIS_A_MESSAGE):
            driver.react("bob", CONV, 1, f"e{number}")
        assert refused(driver.react("bob", CONV, 1, "one more")) == ("too_large", "emoji")
        planned(driver.react("ann", CONV, 1, "e7"))
        driver.react("bob", CONV, 1, "e0", on=False)
        planned(driver.react("bob", CONV, 1, "one more"))


class Model:
    """What a message is, as a reader can hold it in his head."""

    def __init__(self) -> None:
        self.text = "hi"
        self.edited = self.recalled = False
        self.on: set[tuple[str, str]] = set()


actions = st.one_of(
    st.tuples(st.just("edit"), st.sampled_from(["ann", "bob"]), st.sampled_from("abc")),
    st.tuples(st.just("on"), st.sampled_from(["ann", "bob"]), st.sampled_from(["x", "xy"])),
    st.tuples(st.just("off"), st.sampled_from(["ann", "bob"]), st.sampled_from(["x", "xy"])),
    st.tuples(st.sampled_from(["recall", "settle", "crash"]), st.just("ann"), st.just("")),
)


def act(driver: Driver, model: Model, what: str, who: str, said: str) -> None:
    """The same to the node and to the model."""
    if what == "edit" and isinstance(driver.edit(who, CONV, 1, said), ChangeEntry):
        model.text, model.edited = said, True
    elif what in ("on", "off"):
        if isinstance(driver.react(who, CONV, 1, said, on=what == "on"), ChangeEntry):
            (model.on.add if what == "on" else model.on.discard)((who, said))
    elif what == "recall":
        driver.recall(who, CONV, 1)
        model.recalled = True
    else:
        driver.settle()
        if what == "crash":
            driver.crash()


@given(st.lists(actions, max_size=30))
def test_a_message_is_what_was_last_done_to_it(todo: list[tuple[str, str, str]]) -> None:
    driver, model = talk(), Model()
    for what, who, said in todo:
        if model.recalled and what not in ("settle", "crash", "recall"):
            before = driver.view.existing(CONV).planned
            act(driver, Model(), what, who, said)
            assert driver.view.existing(CONV).planned == before
        else:
            act(driver, model, what, who, said)
    driver.settle()
    found = state(driver)
    assert ("recalled" in found) == model.recalled
    if not model.recalled:
        assert found.get("text", "hi") == model.text
        counts = {emoji: sum(e == emoji for _, e in model.on) for emoji in ("x", "xy")}
        assert found.get("counts", {}) == {e: count for e, count in counts.items() if count}


def test_I8_a_message_can_be_edited_so_often_and_no_more() -> None:
    driver = talk()
    for number in range(EDITS_A_MESSAGE):
        planned(driver.edit("ann", CONV, 1, f"text {number}"))
        driver.settle()
    assert refused(driver.edit("ann", CONV, 1, "once more")) == ("too_large", "n")
    planned(driver.recall("ann", CONV, 1))
