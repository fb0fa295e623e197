from __future__ import annotations

import runpy
from pathlib import Path

import httpx
import pytest

from hivewire.push import signing
from hivewire.push.signing import TOLERANCE_S, is_signed, sign

pytestmark = pytest.mark.unit
EXAMPLE = Path(__file__).parents[3] / "examples" / "push" / "receiver.py"
NOW = 1_700_000_000
OLD, NEW = b"old" * 12, b"new" * 12


def test_the_bytes_are_those_of_the_documents() -> None:
    assert sign(b'{"a":1}', [b"k" * 32], NOW) == (
        "t=1700000000,v1=6935b796c0fec66e5dee52c86c7fd1218a424c32f1adb239ff2893c31e54f033"
    )


def test_each_secret_signs() -> None:
    header = sign(b"body", [NEW, OLD], NOW)
    assert is_signed(b"body", header, OLD, NOW)
    assert is_signed(b"body", header, NEW, NOW + TOLERANCE_S)


@pytest.mark.parametrize(
    ("body", "secret", "now"),
    [(b"bodY", NEW, NOW), (b"body", b"x", NOW), (b"body", NEW, NOW + TOLERANCE_S + 1)],
)
def test_nothing_else_is_signed(body: bytes, secret: bytes, now: int) -> None:
    assert not is_signed(body, sign(b"body", [NEW], NOW), secret, now)


@pytest.mark.parametrize("header", ["", "t=1", "v1=00", "t=x,v1=00", "t=1,t=2,v1=0"])
def test_a_malformed_header_signs_nothing(header: str) -> None:
    assert not is_signed(b"body", header, NEW, NOW)


async def test_the_example_receiver_takes_what_is_signed_and_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SECRET", NEW.decode())
    example = runpy.run_path(str(EXAMPLE))
    monkeypatch.setattr(example["time"], "time", lambda: NOW)
    transport = httpx.ASGITransport(example["app"])
    body = b'{"type":"message","id":"1","token":"t","conv":"c","text":"hi"}'
    for secret, status in ((OLD, 403), (NEW, 204), (NEW, 204)):
        headers = {signing.HEADER: sign(body, [secret], NOW)}
        async with httpx.AsyncClient(transport=transport, base_url="http://receiver") as client:
            response = await client.post("/", content=body, headers=headers)
        assert response.status_code == status
    assert capsys.readouterr().out == "message t c hi\n"
