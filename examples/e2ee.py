"""End-to-end encryption between two users with two devices each: the node reads no word of it.

    hivewire serve --dev
    python -m examples.e2ee ws://127.0.0.1:8000/v1/ws ANN_TOKEN BOB_TOKEN

Every device has a key pair and publishes the public half with `keys.put`. A message is encrypted
once, under a fresh key; that key goes with it once for each device that shall read it, those of the
sender too: the envelopes of docs/e2ee.md. X25519, HKDF-SHA256 and ChaCha20-Poly1305 are those of
`cryptography`. Two things are left out here: forward secrecy, and a look whether a published key is
really that person's. docs/e2ee.md says what to do about them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hivewire.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMAT = "hivewire-envelopes-1"
NONCE_BYTES = 12
KEY_BYTES = 32

Directory = dict[str, X25519PublicKey]
"""Public keys by name of the device, `user/device`."""


class Unreadable(Exception):
    """A message that is not for this device, not of who says so, or changed on its way."""


class Device:
    """One device of a user; its private key never leaves it."""

    def __init__(self, user: str, device: str) -> None:
        self.user = user
        self.device = device
        self.name = f"{user}/{device}"
        self._private = X25519PrivateKey.generate()

    @property
    def public(self) -> dict[str, str]:
        """What it publishes."""
        return {"x25519": to_text(self._private.public_key().public_bytes_raw())}

    def seal(self, text: str, conv: str, readers: Directory) -> dict[str, Any]:
        """`data` of a message that these devices can read, and nobody else."""
        ephemeral, key = X25519PrivateKey.generate(), os.urandom(KEY_BYTES)
        public, bound = ephemeral.public_key().public_bytes_raw(), context(conv, self.name)
        envelopes: dict[str, str] = {}
        for name, theirs in readers.items():
            # The first secret is new with each message, the second proves who sends it.
            shared = ephemeral.exchange(theirs) + self._private.exchange(theirs)
            envelopes[name] = to_text(encrypt(derive(shared, public, name), key, bound))
        return {
            "enc": FORMAT,
            "by": self.name,
            "ephemeral": to_text(public),
            "text": to_text(encrypt(key, text.encode(), bound)),
            "to": envelopes,
        }

    def open(self, data: dict[str, Any], conv: str, sender: str, senders: Directory) -> str:
        """The text of a message of user `sender`. Raises Unreadable."""
        try:
            name, ephemeral = data["by"], from_text(data["ephemeral"])
            if name.partition("/")[0] != sender:
                raise Unreadable(name)
            theirs, bound = X25519PublicKey.from_public_bytes(ephemeral), context(conv, name)
            shared = self._private.exchange(theirs) + self._private.exchange(senders[name])
            wrapping = derive(shared, ephemeral, self.name)
            key = decrypt(wrapping, from_text(data["to"][self.name]), bound)
            return decrypt(key, from_text(data["text"]), bound).decode()
        except (KeyError, TypeError, ValueError, AttributeError, InvalidTag) as error:
            raise Unreadable(self.name) from error


def context(conv: str, by: str) -> bytes:
    """Where a message belongs: put elsewhere, or under another name, it does not open."""
    return json.dumps([FORMAT, conv, by]).encode()


def derive(shared: bytes, ephemeral: bytes, name: str) -> bytes:
    """The key that wraps a message's key for the device of this name."""
    info = f"{FORMAT} {name}".encode()
    return HKDF(SHA256(), KEY_BYTES, salt=ephemeral, info=info).derive(shared)


def encrypt(key: bytes, plain: bytes, bound: bytes) -> bytes:
    """A fresh nonce, then the ciphertext with its tag."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, plain, bound)


def decrypt(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    """What was encrypted. Raises InvalidTag."""
    return ChaCha20Poly1305(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)


def to_text(raw: bytes) -> str:
    """Bytes as JSON can hold them."""
    return base64.b64encode(raw).decode()


def from_text(text: str) -> bytes:
    """And back. Raises ValueError."""
    return base64.b64decode(text, validate=True)


async def look_up(client: Client, users: Iterable[str]) -> Directory:
    """The published keys of all devices of these users."""
    found: Directory = {}
    for user in users:
        answer = await client.keys_get(user)
        for row in answer["devices"]:
            key = X25519PublicKey.from_public_bytes(from_text(row["keys"]["x25519"]))
            found[f"{user}/{row['device']}"] = key
    return found


async def say(client: Client, device: Device, to: str, text: str) -> None:
    """Send an encrypted text to a user; one's own other devices can read it too."""
    conv = "direct:" + ",".join(sorted((device.user, to)))
    readers = await look_up(client, {device.user, to})
    await client.send(f"user:{to}", data=device.seal(text, conv, readers))


async def hear(client: Client, device: Device) -> str:
    """The next encrypted text that comes to this device. Raises Unreadable."""
    async for event in client:
        if event.type == "message" and event.data and event.data.get("enc") == FORMAT:
            senders = await look_up(client, [event.sender])
            return device.open(event.data, event.conv, event.sender, senders)
    raise Unreadable(device.name)


async def main(url: str, ann_token: str, bob_token: str) -> None:
    """Ann's phone writes to Bob: her laptop and both of his devices read it."""
    tokens = {"ann": ann_token, "bob": bob_token}
    names = [("ann", "phone"), ("ann", "laptop"), ("bob", "phone"), ("bob", "tablet")]
    async with asyncio.timeout(60), contextlib.AsyncExitStack() as stack:
        lines: list[tuple[Client, Device]] = []
        for user, name in names:
            device = Device(user, name)
            client = await stack.enter_async_context(Client(url, tokens[user], device=name))
            await client.keys_put(keys=device.public)
            lines.append((client, device))
        (phone, mine), *others = lines
        await say(phone, mine, "bob", "Nobody but us reads this.")
        for client, device in others:
            print(f"{device.name}: {await hear(client, device)}")  # noqa: T201 - for who runs it


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
