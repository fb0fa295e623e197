"""The settings that docs/edge.md, docs/media.md and docs/push.md show are taken as they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hivewire.config import load
from tests.docs.pages import block

if TYPE_CHECKING:
    from pathlib import Path

SHOWN: dict[tuple[str, str], dict[str, Any]] = {
    ("docs/edge.md", "[edge]"): {"address": "0.0.0.0:443"},
    ("docs/media.md", "[media]"): {"s3_bucket": "chat", "s3_region": "eu-central-1"},
    ("docs/push.md", "webhooks ="): {"webhooks": {"mobile": "https://push.example.org/hivewire"}},
    ("docs/push.md", "webpush = true"): {"webpush_contact": "mailto:ops@example.org"},
}


@pytest.mark.parametrize(("page", "words"), SHOWN)
def test_the_settings_are_good(page: str, words: str, tmp_path: Path) -> None:
    text = block(page, words).text
    config = tmp_path / "hivewire.toml"
    config.write_text(text)
    section = text[1 : text.index("]")]
    found = getattr(load(config, auth={"secret": "s" * 32}), section).model_dump()
    assert found.items() >= SHOWN[page, words].items()
