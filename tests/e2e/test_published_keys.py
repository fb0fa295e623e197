"""Tokens of an issuer that publishes its keys: rotation, the issuer down, forgeries."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from tests.certificates import issue
from tests.e2e.http.web import Web
from tests.e2e.stranger import Stranger, key
from tests.issuer import Answer, Issuer, new_key
from tests.tokens import segment, sign

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.node import Node

    Start = Callable[..., Node]


async def come(node: Node, token: str, device: str = "phone") -> Stranger:
    line = await Stranger.dial(node)
    await line.connect(token=token, device=device)
    return line


async def turned_away(node: Node, token: str, code: int = 4500) -> None:
    line = await Stranger.dial(node)
    line.tell("connect", id=1, token=token, device="phone")
    await line.expect_closed(code)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_c7_a_token_of_a_published_key_lets_in(
    start_node: Start, tmp_path: Path, algorithm: str
) -> None:
    with Issuer(algorithm, tls=issue(tmp_path, "issuer")) as issuer:
        node = start_node(env=issuer.env)
        async with await come(node, issuer.token("ann")) as ann:
            assert ann.user == "ann"
            assert (await ann.call("refresh", token=issuer.token("ann", ttl=900)))["op"] == "ok"


async def test_c7_keys_rotate_while_many_come_and_chat(start_node: Start) -> None:
    with Issuer() as issuer:
        node = start_node(env=issuer.env | {"HIVEWIRE_LIMITS__DEVICES": "100"})
        async with await come(node, issuer.token("ann")) as ann:
            for turn in range(4):
                issuer.rotate(f"key-{turn}")
                token = issuer.token("bob")
                lines = await asyncio.gather(
                    *(come(node, token, f"d{turn}.{serial}") for serial in range(20)),
                    *(ann.send("user:bob", f"{turn}.{n}", key()) for n in range(5)),
                )
                assert all(line.user == "bob" for line in lines if isinstance(line, Stranger))
                for line in lines:
                    if isinstance(line, Stranger):
                        await line.leave()
        # The first fetch, and at most one for each rotation, however many came with it.
        assert issuer.asked <= 5


async def test_a_key_that_was_taken_back_counts_no_more(start_node: Start) -> None:
    with Issuer() as issuer:
        node = start_node(env=issuer.env | {"HIVEWIRE_JWKS__MAX_AGE": "1s"})
        old = issuer.token("ann")
        await (await come(node, old)).leave()
        issuer.rotate("second", keep=False)
        async with asyncio.timeout(20):
            while True:
                line = await Stranger.dial(node)
                answer = line.ask("connect", token=old, device="phone")
                ends = asyncio.ensure_future(line.ended())
                await asyncio.wait((answer, ends), return_when=asyncio.FIRST_COMPLETED)
                if line.over():
                    assert (await line.ended()).code == 4500
                    break
                await line.leave()
        await (await come(node, issuer.token("ann"))).leave()


async def test_known_keys_count_while_the_issuer_is_down(start_node: Start) -> None:
    with Issuer() as issuer:
        node = start_node(env=issuer.env | {"HIVEWIRE_JWKS__MAX_AGE": "1s"})
        await (await come(node, issuer.token("ann"))).leave()
        issuer.stop()
        await asyncio.sleep(1.5)  # the keys are older than `max_age` now
        await (await come(node, issuer.token("ann"))).leave()
        issuer.rotate("second")
        # Nobody can say whether that key is the issuer's: the client is to come again.
        line = await Stranger.dial(node)
        line.tell("connect", id=1, token=issuer.token("ann"), device="phone")
        error = await line.expect(1)
        assert (error["code"], error["retryable"]) == ("unavailable", True)
        await line.expect_closed(4006)
        issuer.start()
        async with asyncio.timeout(20):
            while True:
                line = await Stranger.dial(node)
                answer = await line.ask("connect", token=issuer.token("ann"), device="phone")
                if answer["op"] == "connected":
                    break
                await line.ended()
        await line.leave()


async def test_a_reload_keeps_what_is_known_of_keys_and_of_revocations(start_node: Start) -> None:
    with Issuer() as issuer:
        node = start_node(env=issuer.env | {"HIVEWIRE_AUTH__REVOCATIONS_KEPT": "1h"})
        async with await come(node, issuer.token("ann")) as ann, Web.of(node, None) as backend:
            old = issuer.token("bob")
            await backend.post("/api/v1/server/revoke", user="bob")
            issuer.stop()
            command = (sys.executable, "-m", "hivewire", "reload", "--data", str(node.data))
            reload = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
            assert await reload.wait() == 0
            assert (await ann.call("ping"))["op"] == "pong"
            await (await come(node, issuer.token("ann"), "tab")).leave()
            await turned_away(node, old)


async def test_who_waits_for_a_key_holds_up_nobody(start_node: Start) -> None:
    with Issuer() as issuer:
        node = start_node(env=issuer.env)
        async with await come(node, issuer.token("ann")) as ann:
            issuer.rotate("second")
            asked, release = asyncio.Event(), issuer.published()
            loop = asyncio.get_running_loop()

            def slowly() -> Answer:
                loop.call_soon_threadsafe(asked.set)
                return release._replace(wait=1.0)

            issuer.answers = slowly
            line = await Stranger.dial(node)
            connecting = line.ask("connect", token=issuer.token("bob"), device="phone")
            pinging = line.ask("ping")
            await asked.wait()
            await ann.send("user:ann", "meanwhile", key())
            assert not connecting.done()
            assert (await connecting)["op"] == "connected"
            assert (await pinging)["op"] == "pong"
            await line.leave()


def confused(issuer: Issuer) -> str:
    """HS256 with the published key as the secret: the classic."""
    public = issuer.private[issuer.kid].public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    payload = jwt.decode(issuer.token("ann"), options={"verify_signature": False})
    return sign({"alg": "HS256", "typ": "JWT", "kid": issuer.kid}, payload, pem.decode())


def forged(issuer: Issuer, **header: Any) -> str:
    """Signed with a key of one's own; the header says where to find it."""
    mine = new_key("RS256")
    payload = jwt.decode(issuer.token("ann"), options={"verify_signature": False})
    return jwt.encode(payload, mine, "RS256", headers=header)


FORGERIES = {
    "the public key as a secret": confused,
    "no signature": lambda issuer: (
        segment({"alg": "none", "kid": issuer.kid}) + "." + issuer.token("ann").split(".")[1] + "."
    ),
    "another key under a known name": lambda issuer: forged(issuer, kid=issuer.kid),
    "another key under its own name": lambda issuer: forged(issuer, kid="mine"),
    "a place to get keys from": lambda issuer: forged(
        issuer, kid=issuer.kid, jku="http://127.0.0.1:1/keys"
    ),
    "a key in the token": lambda issuer: forged(issuer, kid=issuer.kid, jwk=issuer.jwk(issuer.kid)),
    "an endless name": lambda issuer: forged(issuer, kid="k" * 2000),
    "no name": forged,
    "a good key and a place to get others": lambda issuer: jwt.encode(
        {"sub": "ann", "exp": 4_000_000_000},
        issuer.private[issuer.kid],
        "RS256",
        headers={"kid": issuer.kid, "x5u": "https://evil.example"},
    ),
}


async def test_what_nobody_of_ours_signed_is_4500(start_node: Start) -> None:
    with Issuer("RS256") as issuer:
        node = start_node(env=issuer.env | {"HIVEWIRE_JWKS__MIN_AGE": "1500ms"})
        await (await come(node, issuer.token("ann"))).leave()
        begun, before = time.monotonic(), issuer.asked
        tokens = [forge(issuer) for forge in FORGERIES.values()] * 3
        await asyncio.gather(*(turned_away(node, token) for token in tokens))
        most = 1 + (time.monotonic() - begun) / 1.5
        assert issuer.asked - before <= most, "strangers make the node ask again and again"
        await (await come(node, issuer.token("ann"))).leave()


async def test_each_issuer_signs_for_itself_alone(start_node: Start) -> None:
    with Issuer() as one, Issuer() as two:
        urls = f"https://one.example={one.url},https://two.example={two.url}"
        node = start_node(env=one.env | {"HIVEWIRE_JWKS__URLS": urls})
        for issuer, name in ((one, "https://one.example"), (two, "https://two.example")):
            await (await come(node, issuer.token("ann", iss=name))).leave()
        await turned_away(node, two.token("ann", iss="https://one.example"))
        await turned_away(node, one.token("ann", iss="https://three.example"))
        await turned_away(node, one.token("ann"))
