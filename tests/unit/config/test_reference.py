"""The page of settings is made from the models."""

from __future__ import annotations

from pathlib import Path

import pytest

from hivewire.config.reference import reference
from hivewire.config.settings import section_types

pytestmark = pytest.mark.unit

PAGE = Path(__file__).parents[3] / "docs" / "limits.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == reference(), "run: make docs"


def test_every_setting_stands_in_it_with_its_kind_and_default() -> None:
    page = reference()
    for section, table in section_types().items():
        assert f"## [{section}]" in page
        for name in table.model_fields:
            assert f"- **`{name}`** = " in page
    assert '**`interval`** = `"25s"` (a duration).' in page
    assert '**`outbox_total`** = `"25%"` (a size or a share of the memory).' in page
    assert "one of `HS256`, `RS256`, `ES256`, `EdDSA`" in page
