"""Each setting is documented, and each is read by something."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hivewire
from hivewire.config.settings import section_types

pytestmark = pytest.mark.unit

FIELDS = [
    (section, name, field)
    for section, table in section_types().items()
    for name, field in table.model_fields.items()
]
PACKAGE = Path(hivewire.__file__).parent
# Accepted because the protocol promises its name; read once there are server calls.
NOT_YET_READ = {("api", "key")}


@pytest.mark.parametrize(("section", "name", "field"), FIELDS, ids=lambda value: str(value)[:40])
def test_a_setting_has_a_reason_and_tells_what_more_and_less_cost(section, name, field) -> None:
    assert field.description.endswith("."), (section, name)
    assert field.validate_default, (section, name)
    if isinstance(field.default, int) and not isinstance(field.default, bool):
        notes = field.json_schema_extra
        assert notes["more"], f"{section}.{name} does not say what more of it costs"
        assert notes["less"], f"{section}.{name} does not say what less of it costs"


def test_every_setting_is_read_somewhere() -> None:
    sources = "".join(
        path.read_text()
        for path in PACKAGE.rglob("*.py")
        if path.parent.name != "config" or path.name in ("settings.py", "sections.py")
    )
    unread = {
        (section, name)
        for section, name, _ in FIELDS
        if not re.search(rf"\.{name}\b", sources) and (section, name) not in NOT_YET_READ
    }
    assert not unread
