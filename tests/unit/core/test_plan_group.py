from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.core.entries import (
    ChangeEntry,
    CountChannel,
    Duplicate,
    Pending,
    Rejection,
    SendEntry,
    SetMember,
)
from hivewire.core.plan_group import Asked, Draft
from hivewire.core.view import View
from hivewire.store import keys
from hivewire.store.memory import Memory

from .driver import BOUND, Driver

KEY = "01JD8ZK3V6P0Q2R4S6T8V0X2Z4"
G = "group:g"


def refused(outcome: object) -> tuple[str, str | None]:
    assert isinstance(outcome, Rejection), outcome
    return outcome.code, outcome.field


def planned(outcome: object) -> ChangeEntry:
    assert isinstance(outcome, ChangeEntry), outcome
    return outcome


def said(outcome: object) -> list[dict[str, Any]]:
    """The events of a change without what they all have."""
    common = {"conv", "n", "from", "key", "ts"}
    return [
        {name: value for name, value in part.body.items() if name not in common}
        for part in planned(outcome).parts
    ]


def team(kind: str = "group", **fields: Any) -> Driver:
    """Ann owns it, bob is an admin, cat a member; the next event is n 4."""
    driver = Driver()
    driver.create("ann", "bob", "cat", kind=kind, **fields)
    driver.update("ann", f"{kind}:g", user="bob", role="admin")
    driver.settle()
    return driver


def roles(driver: Driver, conv: str = G) -> dict[str, int]:
    state = driver.view.existing(conv)
    found = {name: driver.view.member(state, name) for name in ("ann", "bob", "cat", "dan")}
    return {name: row.role for name, row in found.items() if row is not None}


OWNER, ADMIN, MEMBER = keys.ROLE_OWNER, keys.ROLE_ADMIN, keys.ROLE_MEMBER


class TestCreate:
    def test_it_is_made_then_everybody_is_added_and_all_of_them_see_both(self) -> None:
        driver = Driver()
        driver.sent("bob", "user:bob")
        outcome = driver.create("ann", "cat", "bob", "cat", "ann", name="Team", history="joined")
        assert said(outcome) == [
            {"type": "conversation", "kind": "group", "name": "Team", "history": "joined"},
            {
                "type": "membership",
                "changes": [
                    {"user": "ann", "change": "added", "role": "owner"},
                    {"user": "cat", "change": "added", "role": "member"},
                    {"user": "bob", "change": "added", "role": "member"},
                ],
            },
        ]
        first, second = outcome.parts
        assert (outcome.n, outcome.seq, first.n, second.n) == (2, 2, 1, 2)
        assert first.members == (("ann", 1), ("cat", 1), ("bob", 2))
        assert second.members == (("ann", 2), ("cat", 2), ("bob", 3))

    def test_who_was_there_from_the_beginning_sees_all_of_it(self) -> None:
        outcome = Driver().create("ann", "bob", history="joined")
        since = [effect.since for effect in outcome.effects if isinstance(effect, SetMember)]
        assert since == [0, 0]

    def test_a_group_of_one(self) -> None:
        driver = Driver()
        outcome = planned(driver.create("ann"))
        assert [part.members for part in outcome.parts] == [(("ann", 1),), (("ann", 2),)]
        assert driver.sent("ann", G).n == 3

    def test_it_gets_an_id_if_it_asks_for_none(self) -> None:
        driver = Driver()
        assert planned(driver.create("ann", group=None)).conv == "group:fresh"

    @pytest.mark.parametrize("settled", [False, True])
    def test_an_id_is_given_once(self, settled: bool) -> None:
        driver = Driver()
        driver.create("ann")
        if settled:
            driver.settle()
        assert refused(driver.create("bob")) == ("conflict", "group")
        planned(driver.create("bob", kind="channel"))

    def test_I8_a_group_has_its_bound_and_a_channel_has_not(self) -> None:
        names = [f"u{number}" for number in range(BOUND)]
        driver = Driver()
        assert refused(driver.create("ann", *names)) == ("too_large", "members")
        assert driver.view.conversation(G) is None
        outcome = planned(driver.create("ann", *names, kind="channel"))
        counted = [effect for effect in outcome.effects if isinstance(effect, CountChannel)]
        assert [effect.by for effect in counted] == [1] * (BOUND + 1)
        planned(driver.create("ann", *names[:-1]))

    def test_names_may_be_as_long_as_names_are(self) -> None:
        driver = Driver()
        longest = "x" * 64
        outcome = planned(driver.create(longest, "y" * 64, group="z" * 64, name="ü" * 128))
        assert outcome.conv == "group:" + "z" * 64
        driver.settle()
        driver.crash()
        assert driver.view.existing(outcome.conv).name == "ü" * 128
        assert driver.view.existing(outcome.conv).members == (longest, "y" * 64)


class TestKeys:
    def test_I4_a_repetition_gets_the_group_that_was_made(self) -> None:
        driver = Driver()
        first = planned(driver.create("ann", "bob", "cat", group=None, key=KEY))
        original = Duplicate("group:fresh", 2, 2, first.ts, keys.OP_CREATE)
        again = driver.create("ann", "cat", "bob", "cat", group=None, key=KEY)
        assert again == Pending(original)
        driver.settle()
        driver.crash()
        assert driver.create("ann", "bob", "cat", group=None, key=KEY) == original

    @pytest.mark.parametrize(
        "fields", [{"name": "Team"}, {"kind": "channel"}, {"history": "joined"}, {"group": "h"}]
    )
    def test_I4_another_one_under_its_key_is_a_conflict(self, fields: dict[str, str]) -> None:
        driver = Driver()
        driver.create("ann", "bob", key=KEY)
        driver.settle()
        assert refused(driver.create("ann", "bob", key=KEY, **fields)) == ("conflict", "key")
        assert refused(driver.create("ann", "cat", key=KEY)) == ("conflict", "key")

    def test_I4_who_has_left_hears_that_it_is_done(self) -> None:
        driver = team()
        first = planned(driver.leave("cat", G, key=KEY))
        driver.settle()
        assert driver.leave("cat", G, key=KEY) == Duplicate(
            G, first.n, first.seq, first.ts, keys.OP_LEAVE
        )
        assert refused(driver.leave("cat", G)) == ("forbidden", "conv")

    def test_I4_the_same_members_in_another_order_are_the_same(self) -> None:
        driver = team()
        driver.add("ann", G, "dan", "eve", key=KEY)
        driver.settle()
        assert isinstance(driver.add("ann", G, "eve", "dan", "eve", key=KEY), Duplicate)
        assert refused(driver.remove("ann", G, "dan", "eve", key=KEY)) == ("conflict", "key")

    def test_a_change_of_nothing_takes_its_key_and_no_place(self) -> None:
        driver = team()
        outcome = planned(driver.add("ann", G, "cat", key=KEY))
        assert (outcome.n, outcome.seq, outcome.parts, outcome.effects) == (3, 0, (), ())
        driver.settle()
        assert isinstance(driver.add("ann", G, "cat", key=KEY), Duplicate)
        assert driver.sent("ann", G).n == 4


class TestAdd:
    def test_new_and_old_members_see_who_came(self) -> None:
        driver = team()
        outcome = driver.add("bob", G, "cat", "dan")
        assert said(outcome) == [
            {
                "type": "membership",
                "changes": [{"user": "dan", "change": "added", "role": "member"}],
            }
        ]
        assert outcome.parts[0].members == (("ann", 4), ("bob", 4), ("cat", 4), ("dan", 1))

    def test_who_comes_gets_what_comes_next(self) -> None:
        driver = team()
        driver.add("ann", G, "dan")
        entry = driver.send("cat", G)
        assert isinstance(entry, SendEntry)
        assert dict(entry.members)["dan"] == 2

    def test_in_a_channel_only_those_it_is_about_get_it(self) -> None:
        driver = team("channel")
        outcome = planned(driver.add("ann", "channel:g", "dan"))
        assert outcome.parts[0].members == (("dan", 1),)
        assert outcome.seq == 0

    def test_a_group_that_outgrows_its_bound_becomes_a_channel(self) -> None:
        driver = team()
        driver.add("ann", G, "d", "e", "f")
        outcome = planned(driver.add("ann", G, "g", "h"))
        assert [part.kind for part in outcome.parts] == [
            *(keys.TYPE_MEMBERSHIP, keys.TYPE_CONVERSATION),
        ]
        assert said(outcome)[1]["kind"] == "channel"
        everybody = ["ann", "bob", "cat", *"defgh"]
        for part in outcome.parts:
            assert [member for member, _ in part.members] == everybody
        set_members = {e.user: e for e in outcome.effects if isinstance(e, SetMember)}
        assert {name: (row.role, row.kind) for name, row in set_members.items()} == {
            **dict.fromkeys(everybody, (MEMBER, keys.KIND_CHANNEL)),
            "ann": (OWNER, keys.KIND_CHANNEL),
            "bob": (ADMIN, keys.KIND_CHANNEL),
        }
        assert {name for name, row in set_members.items() if row.mark is not None} == {"g", "h"}
        assert roles(driver) == {"ann": OWNER, "bob": ADMIN, "cat": MEMBER}

    def test_a_group_at_its_bound_is_still_a_group(self) -> None:
        driver = team()
        driver.add("ann", G, *"def")
        assert driver.view.existing(G).kind == keys.KIND_GROUP
        assert driver.view.existing(G).size == BOUND


class TestRemove:
    def test_who_goes_sees_it_as_the_last_event(self) -> None:
        driver = team()
        outcome = driver.remove("bob", G, "cat", "nobody")
        assert said(outcome) == [
            {"type": "membership", "changes": [{"user": "cat", "change": "removed"}]}
        ]
        driver.send("ann", G)
        driver.settle()
        assert [event["type"] for event in driver.timeline("cat")][-1] == "membership"
        assert driver.timeline("ann")[-1]["type"] == "message"

    @pytest.mark.parametrize("kind", ["group", "channel"])
    def test_who_comes_back_goes_on_behind(self, kind: str) -> None:
        driver, conv = team(kind, history="joined"), f"{kind}:g"
        driver.remove("ann", conv, "cat")
        driver.send("ann", conv)
        driver.add("ann", conv, "cat")
        row = driver.view.member(driver.view.existing(conv), "cat")
        assert row is not None
        assert row.since == 6
        driver.settle()
        assert [event["n"] for event in driver.timeline("cat") if event["n"] > 3] == [4, 6]

    def test_an_admin_removes_no_admin_and_no_owner_but_himself(self) -> None:
        driver = team()
        driver.update("ann", G, user="cat", role="admin")
        for name in ("ann", "cat"):
            assert refused(driver.remove("bob", G, name)) == ("forbidden", "conv")
        planned(driver.remove("bob", G, "bob"))
        planned(driver.remove("ann", G, "cat"))

    def test_nobody_there_is_nothing_done(self) -> None:
        assert planned(team().remove("ann", G, "eve")).parts == ()


class TestLeave:
    def test_the_last_owner_hands_over_to_an_admin(self) -> None:
        driver = team()
        outcome = driver.leave("ann", G)
        assert said(outcome)[0]["changes"] == [
            {"user": "ann", "change": "left"},
            {"user": "bob", "change": "role", "role": "owner"},
        ]
        assert roles(driver) == {"bob": OWNER, "cat": MEMBER}

    def test_or_to_anybody(self) -> None:
        driver = team()
        driver.leave("bob", G)
        driver.leave("ann", G)
        assert roles(driver) == {"cat": OWNER}

    def test_not_where_another_owner_stays(self) -> None:
        driver = team()
        driver.update("ann", G, user="cat", role="owner")
        assert len(said(driver.leave("ann", G))[0]["changes"]) == 1
        assert roles(driver) == {"bob": ADMIN, "cat": OWNER}

    def test_the_last_one_turns_off_the_light(self) -> None:
        driver = Driver()
        driver.create("ann")
        outcome = planned(driver.leave("ann", G))
        assert outcome.parts[0].members == (("ann", 3),)
        driver.settle()
        assert driver.view.existing(G).size == 0
        assert refused(driver.send("ann", G)) == ("forbidden", "to")
        assert refused(driver.create("ann")) == ("conflict", "group")

    @pytest.mark.parametrize("settled", [False, True])
    def test_in_a_channel_the_heir_is_found_among_those_still_on_their_way(
        self, settled: bool
    ) -> None:
        driver = Driver()
        driver.create("ann", "bob", kind="channel")
        driver.settle()
        driver.remove("ann", "channel:g", "bob")
        driver.add("ann", "channel:g", "cat")
        if settled:
            driver.settle()
        outcome = driver.leave("ann", "channel:g")
        assert said(outcome)[0]["changes"][1]["user"] == "cat"
        assert outcome.parts[0].members == (("ann", 3), ("cat", 2))

    def test_a_member_who_leaves_a_channel_reads_nobody_else(self) -> None:
        driver = team("channel")
        scans: list[bytes] = []
        scan = driver.store.scan
        driver.store.scan = lambda *asked: scans.append(asked[1]) or scan(*asked)  # type: ignore[func-returns-value]
        planned(driver.leave("cat", "channel:g"))
        assert scans == []


class TestUpdate:
    def test_another_name_is_an_event_for_everybody(self) -> None:
        driver = team()
        outcome = driver.update("bob", G, name="Gang")
        assert said(outcome) == [
            {"type": "conversation", "kind": "group", "name": "Gang", "history": "all"}
        ]
        assert len(outcome.parts[0].members) == 3
        assert planned(driver.update("bob", G, name="Gang")).parts == ()

    def test_in_a_channel_too(self) -> None:
        driver = team("channel")
        outcome = planned(driver.update("ann", "channel:g", name="Gang"))
        assert {member for member, _ in outcome.parts[0].members} == {"ann", "bob", "cat"}

    def test_another_role(self) -> None:
        driver = team()
        outcome = driver.update("ann", G, user="cat", role="owner")
        assert said(outcome) == [
            {
                "type": "membership",
                "changes": [{"user": "cat", "change": "role", "role": "owner"}],
            }
        ]
        assert planned(driver.update("ann", G, user="cat", role="owner")).parts == ()
        assert roles(driver)["cat"] == OWNER

    def test_a_role_leaves_alone_since_when_one_is_there(self) -> None:
        driver = team()
        driver.add("ann", G, "dan")
        driver.update("ann", G, user="dan", role="admin")
        row = driver.view.member(driver.view.existing(G), "dan")
        assert row == keys.MemberRow(ADMIN, 4, keys.KIND_GROUP)

    @pytest.mark.parametrize("kind", ["group", "channel"])
    def test_the_last_owner_stays_one(self, kind: str) -> None:
        driver, conv = team(kind), f"{kind}:g"
        assert refused(driver.update("ann", conv, user="ann", role="member")) == (
            *("forbidden", "role"),
        )
        driver.update("ann", conv, user="cat", role="owner")
        planned(driver.update("ann", conv, user="ann", role="member"))

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"name": "x", "user": "cat"},
            {"name": "x", "user": "cat", "role": "admin"},
            {"user": "cat"},
            {"role": "admin"},
        ],
    )
    def test_one_thing_at_a_time(self, fields: dict[str, str]) -> None:
        assert refused(team().update("ann", G, **fields)) == ("bad_request", "name")

    def test_only_members_have_roles(self) -> None:
        assert refused(team().update("ann", G, user="eve", role="admin")) == ("not_found", "user")


WANT = {
    "add": lambda d, who, conv: d.add(who, conv, "dan"),
    "remove": lambda d, who, conv: d.remove(who, conv, "dan"),
    "name": lambda d, who, conv: d.update(who, conv, name="Gang"),
    "role": lambda d, who, conv: d.update(who, conv, user="cat", role="admin"),
    "leave": lambda d, who, conv: d.leave(who, conv),
}
MAY = {"add": "ann bob", "remove": "ann bob", "name": "ann bob", "role": "ann", "leave": "ann bob cat"}  # noqa: E501  # fmt: skip


@pytest.mark.parametrize("kind", ["group", "channel"])
@pytest.mark.parametrize("want", WANT)
@pytest.mark.parametrize("who", ["ann", "bob", "cat", "eve"])
def test_who_may_what(kind: str, want: str, who: str) -> None:
    driver = team(kind)
    outcome = WANT[want](driver, who, f"{kind}:g")
    assert isinstance(outcome, ChangeEntry) == (who in MAY[want].split())
    if isinstance(outcome, Rejection):
        assert outcome.code == "forbidden"


@pytest.mark.parametrize("want", WANT)
@pytest.mark.parametrize("conv", ["group:none", "channel:none", "direct:ann,bob", "direct:x,y"])
def test_what_is_no_group_of_ones_own_looks_like_none(want: str, conv: str) -> None:
    driver = team()
    driver.sent("ann", "user:bob")
    assert refused(WANT[want](driver, "ann", conv)) == ("forbidden", "conv")
    assert WANT[want](driver, "eve", "group:g") == WANT[want](driver, "eve", conv)


@given(
    st.dictionaries(st.sampled_from("abcde"), st.integers(0, 4)),
    st.lists(st.lists(st.sampled_from("abcde"), unique=True, max_size=5), max_size=6),
    st.integers(0, 5),
)
def test_I3_a_draft_takes_contiguous_places(
    before: dict[str, int], events: list[list[str]], head: int
) -> None:
    view = View(Memory())
    for user, planned_head in before.items():
        view.user(user).planned = planned_head
    draft = Draft(Asked(keys.OP_ADD, "a", "phone", KEY, bytes(16), 5), "group:g", head, view)
    for members in events:
        draft.event(keys.TYPE_MEMBERSHIP, {}, tuple(members))
    entry = draft.entry()
    assert [part.n for part in entry.parts] == list(range(head + 1, head + 1 + len(events)))
    assert entry.n == head + len(events)
    for user in "abcde":
        taken = [seq for part in entry.parts for member, seq in part.members if member == user]
        first = before.get(user, 0) + 1
        assert taken == list(range(first, first + len(taken)))
        assert user != "a" or entry.seq == (taken[-1] if taken else 0)
