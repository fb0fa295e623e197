"""The settings of docs/security.md, and the envelope that docs/e2ee.md shows."""

from __future__ import annotations

import json
import runpy
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hivewire.config import load
from tests.docs.pages import block

if TYPE_CHECKING:
    from pathlib import Path


def test_the_settings_of_published_keys_are_good(tmp_path: Path) -> None:
    config = tmp_path / "hivewire.toml"
    config.write_text(block("docs/security.md", "[jwks]").text)
    settings = load(config)
    assert settings.auth.algorithm == "RS256"
    assert settings.auth.issuer == "https://login.example.com"


def test_the_envelope_is_the_one_that_the_example_makes() -> None:
    shown = json.loads(block("docs/e2ee.md", '"enc"').text)
    example = runpy.run_path("examples/e2ee.py")
    readers = {name: X25519PrivateKey.generate().public_key() for name in shown["to"]}
    made = example["Device"]("ann", "phone").seal("hi", "direct:ann,bob", readers)
    assert list(made) == list(shown)
    assert (made["enc"], made["by"]) == (shown["enc"], shown["by"])
    assert list(made["to"]) == list(shown["to"])
