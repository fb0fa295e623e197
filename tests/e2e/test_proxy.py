"""nginx in front of a node, with the settings of `deploy/nginx/hivewire.conf` and a certificate."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.e2e.http.web import Web, bearer
from tests.e2e.rfc6455 import Line
from tests.e2e.stranger import SUBPROTOCOLS, Stranger, key
from tests.node import API_KEY
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.node import Node

    Name = Callable[[str], str]

CONF = Path(__file__).parents[2] / "deploy" / "nginx" / "hivewire.conf"
MAIN = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/hivewire.conf;
}}
"""


class Proxy(NamedTuple):
    """Where nginx listens, and what trusts it."""

    address: tuple[str, int]
    context: ssl.SSLContext


def certificate(folder: Path) -> None:
    """One for 127.0.0.1 that signs itself."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([here]), critical=False)
        .sign(private, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@pytest.fixture(scope="module")
def proxy(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """An nginx of its own in front of the shared node."""
    folder = tmp_path_factory.mktemp("nginx")
    certificate(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    conf = CONF.read_text()
    for written, here in (
        ("127.0.0.1:8000", f"{node.edge[0]}:{node.edge[1]}"),
        ("127.0.0.1:8001", f"{node.api[0]}:{node.api[1]}"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/ssl/chat.example.org", str(folder)),
    ):
        assert written in conf
        conf = conf.replace(written, here)
    (folder / "hivewire.conf").write_text(conf)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
    command = ["/usr/sbin/nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    subprocess.run([*command, "-t", "-q"], check=True)
    process = subprocess.Popen(command)
    try:
        until_listening(port)
        trusting = ssl.create_default_context(cafile=str(folder / "fullchain.pem"))
        yield Proxy(("127.0.0.1", port), trusting)
    finally:
        process.terminate()
        process.wait(30)


def until_listening(port: int) -> None:
    for _ in range(200):
        with socket.socket() as line:
            line.settimeout(1)
            if line.connect_ex(("127.0.0.1", port)) == 0:
                return
        subprocess.run(["sleep", "0.05"], check=True)
    raise AssertionError("nginx does not listen")


class Encrypted(Line):
    """A line through TLS."""

    context: ssl.SSLContext

    @classmethod
    async def dial(cls, address: tuple[str, int]) -> Self:
        return cls(*await asyncio.open_connection(*address, limit=1 << 20, ssl=cls.context))


async def join(proxy: Proxy, user: str, **fields: object) -> Stranger:
    Encrypted.context = proxy.context
    headers = [("Sec-WebSocket-Protocol", SUBPROTOCOLS["json"])]
    stranger = Stranger(await Encrypted.open(proxy.address, headers=headers), "json")
    await stranger.connect(token=token(user), device="phone", **fields)
    return stranger


def web(proxy: Proxy, **headers: str) -> httpx.AsyncClient:
    url = f"https://{proxy.address[0]}:{proxy.address[1]}"
    return httpx.AsyncClient(
        base_url=url, headers=headers, verify=proxy.context, timeout=40, trust_env=False
    )


async def test_two_chat_through_the_proxy(proxy: Proxy, node: Node, name: Name) -> None:
    ann, bob = await join(proxy, name("ann")), await join(proxy, name("bob"))
    for turn in range(3):
        await ann.send(f"user:{bob.user}", f"question {turn} {'x' * 16_000}", key())
        assert (await bob.event())["text"].startswith(f"question {turn}")
        await bob.send(f"user:{ann.user}", "answer", key())
        assert (await ann.event())["text"] == "answer"
    ann.cut()
    await bob.send(f"user:{ann.user}", "while away", key())
    async with await join(proxy, name("ann")) as again:
        assert again.connected["new_device"] is False
        assert (await again.read_all())[-1]["text"] == "while away"
    bob.cut()


async def test_the_api_goes_through_and_the_backends_calls_do_not(
    proxy: Proxy, node: Node, name: Name
) -> None:
    ann = name("ann")
    async with web(proxy, **bearer(ann)) as http:
        client = Web(node, ann, http)
        after = (await client.events())["next"]
        waiting = asyncio.create_task(client.events(after=after, wait=20))
        async with await join(proxy, name("bob")) as bob:
            await bob.send(f"user:{ann}", "to a long poll", key())
        assert [event["text"] for event in (await waiting)["events"]] == ["to a long poll"]
    async with web(proxy, **{"X-API-Key": API_KEY}) as http:
        for path in ("/api/v1/server/info", "/metrics", "/health/live"):
            assert (await http.get(path)).status_code == 404
