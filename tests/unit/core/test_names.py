from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.core.names import Target, direct, is_key, is_name, parse_direct, parse_target

names = st.text("azAZ09._~@+=/-", min_size=1, max_size=64)


@given(names, names)
def test_a_direct_conversation_is_the_same_from_both_sides(user: str, other: str) -> None:
    target = direct(user, other)
    assert target == direct(other, user) == parse_direct(target.conv)
    assert parse_target(f"user:{other}", user) == parse_target(target.conv, user) == target
    assert list(target.members) == sorted({user, other}, key=str.encode)


@pytest.mark.parametrize(
    "to",
    [
        "", "bob", "user", "user:", "user:a b", "user:a:b", "user:a,b", "user:é", "user:a\n",
        "user:" + "x" * 65, "direct:", "direct:a", "direct:b,a", "direct:a,b,c", "direct:a,",
        "group:", "group:a b", "room:a", "USER:a", " user:a",
    ],
)  # fmt: skip
def test_I9_what_is_not_well_formed_is_no_target(to: str) -> None:
    assert parse_target(to, "ann") is None


def test_groups_and_channels_are_well_formed_names_without_members_here() -> None:
    assert parse_target("group:g", "ann") == Target("group:g", ())
    assert parse_target("channel:c", "ann") == Target("channel:c", ())


def test_lengths() -> None:
    assert is_name("x") and is_name("x" * 64) and not is_name("x" * 65) and not is_name("")
    assert is_key("x" * 8) and is_key("x" * 64) and not is_key("x" * 7) and not is_key("x" * 65)


@given(st.characters())
def test_characters(character: str) -> None:
    allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~@+=/-"
    assert bool(is_name(character)) == (character in allowed)
