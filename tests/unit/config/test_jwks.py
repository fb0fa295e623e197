from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from hivewire.config import ConfigError, load
from hivewire.config.jwks import KeySource, parse_source

PAGE = Path(__file__).parents[3] / "docs" / "security.md"
URL = "https://login.example/keys"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (URL, KeySource(None, URL)),
        (f"me={URL}", KeySource("me", URL)),
        (f"https://login.example={URL}?a=b", KeySource("https://login.example", f"{URL}?a=b")),
    ],
)
def test_a_source_is_a_url_behind_its_issuer(text: str, meant: KeySource) -> None:
    assert parse_source(text) == meant


def test_two_issuers_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIVEWIRE_JWKS__URLS", f"one={URL}/1, two={URL}/2")
    monkeypatch.setenv("HIVEWIRE_AUTH__ALGORITHM", "RS256")
    assert [source.issuer for source in load().jwks.sources] == ["one", "two"]


@pytest.mark.parametrize(
    ("urls", "auth", "complaint"),
    [
        ((URL,), {"algorithm": "HS256"}, "HS256 has no public keys"),
        ((URL,), {"public_key": "x.pem"}, "auth.public_key"),
        (("http://login.example/keys",), {}, "plain HTTP"),
        (("ftp://login.example/keys",), {}, "no URL"),
        (("https:///keys",), {}, "no URL"),
        (("https://me:secret@login.example/",), {}, "no URL"),
        (("http://[::1/keys",), {}, "no URL"),
        ((URL, f"one={URL}"), {}, "an issuer of its own"),
        ((f"one={URL}", f"one={URL}/2"), {}, "an issuer of its own"),
    ],
)
def test_what_cannot_work_is_told(
    urls: tuple[str, ...], auth: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load(auth={"algorithm": "ES256"} | auth, jwks={"urls": urls})


def test_the_settings_of_the_page_load(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        config = tmp_path / "hivewire.toml"
        config.write_text(block)
        assert load(config).jwks.sources
    two = re.search(r"^`urls = (\[.*\])`", PAGE.read_text(), re.MULTILINE)
    assert two is not None
    settings = load(auth={"algorithm": "RS256"}, jwks={"urls": ast.literal_eval(two[1])})
    assert [source.issuer for source in settings.jwks.sources] == [
        "https://one.example",
        "https://two.example",
    ]


def test_plain_http_is_good_enough_on_loopback() -> None:
    load(auth={"algorithm": "ES256"}, jwks={"urls": ("http://127.0.0.1:8080/keys",)})
