from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
import time
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hivewire.push import transport as module
from hivewire.push.transport import GONE, LONGEST_WAIT_MS, Outcome, Request, Transport
from tests.e2e.receiver import Receiver

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit
NOW = 1_700_000_000.0


class Asked:
    """A name server that gives the same answer for everything."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.names: list[str] = []

    async def __call__(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        self.names.append(host)
        return [(0, 0, 0, "", (address, port)) for address in self.addresses]


def request(url: str, *, guarded: bool = False) -> Request:
    return Request(url, {"X-Test": "1"}, b"body", guarded, GONE)


async def post(request: Request, *, timeout_ms: int = 5000) -> Outcome:
    transport = Transport(timeout_ms, 2, lambda: NOW)
    try:
        return await transport.post(request)
    finally:
        await transport.close()


@pytest.mark.parametrize(
    ("status", "result"),
    [
        *((status, "ok") for status in (200, 201, 204)),
        *((status, "gone") for status in (404, 410)),
        *((status, "retry") for status in (408, 425, 429, 500, 503)),
        *((status, "dead") for status in (302, 400, 401, 403, 413)),
    ],
)
async def test_a_status_says_what_became_of_it(status: int, result: str) -> None:
    async with Receiver(status) as receiver:
        outcome = await post(request(f"{receiver.url}/path?x=1"))
        assert outcome.result == result
        (call,) = receiver.calls
        assert (call.path, call.body, call.headers["x-test"]) == ("/path?x=1", b"body", "1")


async def test_nobody_is_there() -> None:
    async with Receiver() as receiver:
        url = receiver.url
    outcome = await post(request(url))
    assert outcome.result == "retry"
    assert "ConnectError" in outcome.said


async def test_no_answer_in_time() -> None:
    async with Receiver() as receiver:
        receiver.silent = True
        assert await post(request(receiver.url), timeout_ms=100) == Outcome(
            "retry", "no answer in time"
        )


@pytest.mark.parametrize("url", ["x", "http://", "http://[::1", "ftp://127.0.0.1/"])
async def test_what_is_no_url_is_an_outcome_too(url: str) -> None:
    assert (await post(request(url))).result in ("retry", "dead")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "::1", "169.254.169.254"])
async def test_a_clients_url_leads_nowhere_inside(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Asked("8.8.8.8", address)
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names)
    outcome = await post(request("https://push.example/x", guarded=True))
    assert outcome.result == "dead"
    assert "not public" in outcome.said
    assert names.names == ["push.example"]


async def test_a_name_that_there_is_not_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nothing)
    assert (await post(request("https://push.example/x", guarded=True))).result == "retry"


def certificate(tmp_path: Path, name: str) -> Path:
    """A certificate of a push service, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / f"{name}.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.mark.parametrize(("name", "result"), [("push.example", "ok"), ("other.example", "retry")])
async def test_the_address_that_was_looked_at_is_called_under_its_name(
    name: str, result: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate(tmp_path, "push.example")
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(file)
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", Asked("127.0.0.1"))
    monkeypatch.setattr(module, "is_public", lambda _address: True)
    async with Receiver(tls=server_side) as receiver:
        port = receiver.url.rpartition(":")[2]
        transport = Transport(5000, 2, time.time)
        transport._tls = ssl.create_default_context(cafile=str(file))
        outcome = await transport.post(request(f"https://{name}:{port}/x", guarded=True))
        await transport.close()
        assert outcome.result == result, outcome
        assert [call.headers["host"] for call in receiver.calls] == (
            [f"push.example:{port}"] if result == "ok" else []
        )


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        (None, 0),
        ("120", 120_000),
        ("99999999999", LONGEST_WAIT_MS),
        ("-5", 0),
        ("soon", 0),
        (format_datetime(dt.datetime.fromtimestamp(NOW + 60, dt.UTC), True), 60_000),
        (format_datetime(dt.datetime.fromtimestamp(NOW - 60, dt.UTC), True), 0),
    ],
)
def test_a_receiver_says_how_long_to_wait(value: str | None, ms: int) -> None:
    assert Transport(1000, 1, lambda: NOW)._retry_after(value) == ms


async def test_connections_are_kept_for_so_many_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLIENTS", 1)
    transport = Transport(1000, 1, time.time)
    first = await transport._client("a")
    assert await transport._client("a") is first
    await transport._client("b")
    assert first.is_closed
    await transport.close()
