from __future__ import annotations

import pytest

from hivewire.store import keys

from .life import CAT, Damage, broken, change, drop, lived

pytestmark = pytest.mark.unit
DIRECT = "direct:ann,bob"
NAMING = keys.naming_key(CAT, DIRECT, 1)

DAMAGE: dict[str, Damage] = {
    "an upload that is gone": (lambda s: drop(s, "media", keys.media_key(CAT)), "reference"),
    "bytes that do not add up": (
        lambda s: s.columns.meta.put(keys.META_MEDIA, keys.media_total_value(99)),
        "media",
    ),
    "a message that nothing knows of": (lambda s: drop(s, "media", NAMING), "reference"),
    "a naming of what names nothing": (
        lambda s: s.columns.media.put(keys.naming_key(CAT, "group:g", 3), keys.NAMING_VALUE),
        "reference",
    ),
    "a naming of no message": (
        lambda s: s.columns.media.put(keys.naming_key(CAT, DIRECT, 99), keys.NAMING_VALUE),
        "reference",
    ),
    "a row of another upload": (
        lambda s: change(s, "media", keys.media_key(CAT), b'"id":"0c', b'"id":"0d'),
        "reference",
    ),
    "a row that cannot be read": (
        lambda s: s.columns.media.put(keys.media_key(CAT), b"\x02{}"),
        "row",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_to_uploads_is_found(damage: str) -> None:
    assert DAMAGE[damage][1] in broken(DAMAGE[damage])


def test_what_was_recalled_is_named_by_nothing() -> None:
    driver = lived()
    driver.recall("ann", DIRECT, 1)
    driver.settle()
    assert NAMING not in driver.store.columns.media.rows
