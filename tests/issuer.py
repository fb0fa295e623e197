"""An issuer of tokens that publishes its keys on a web server of its own, as identity providers do.

`Issuer().start()` listens on loopback; `rotate()` signs with a new key from then on; `stop()` takes
the server down and `start()` brings it back on the same port. What it answers can be replaced by
anything (`answers`).
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.certificates import Pair


class Answer(NamedTuple):
    """What the server says to whoever asks for the keys."""

    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    wait: float = 0.0
    """Seconds before it says so."""


class Issuer:
    """Keys of one algorithm, tokens signed with the newest, and the server that publishes them."""

    def __init__(self, algorithm: str = "ES256", *, tls: Pair | None = None) -> None:
        self.algorithm = algorithm
        self.tls = tls
        self.private: dict[str, Any] = {}
        self.asked = 0
        """How often somebody asked for the keys."""
        self.answers: Callable[[], Answer] = self.published
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self.rotate("first")

    # -- keys ------------------------------------------------------------------------------------

    def rotate(self, kid: str, *, keep: bool = True) -> None:
        """Sign with a new key from now on; the old ones stay published, or not."""
        if not keep:
            self.private.clear()
        self.private[kid] = new_key(self.algorithm)
        self.kid = kid

    def token(self, user: str, *, kid: str | None = None, ttl: float = 600, **claims: Any) -> str:
        """A token signed with the newest key, or another one; claims that are None are left out."""
        kid = self.kid if kid is None else kid
        now = int(time.time())
        payload = {"sub": user, "iat": now, "exp": int(now + ttl)} | claims
        payload = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(payload, self.private[kid], self.algorithm, headers={"kid": kid})

    def jwk(self, kid: str) -> dict[str, Any]:
        """A public key as it is published."""
        return jwk_of(self.private[kid], self.algorithm) | {"kid": kid}

    def published(self) -> Answer:
        """All keys."""
        document = {"keys": [self.jwk(kid) for kid in [*self.private]]}
        return Answer(json.dumps(document).encode())

    # -- the server ------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self._port}/keys"

    @property
    def env(self) -> dict[str, str]:
        """What a node needs to take these tokens, and no others."""
        found = {
            "HIVEWIRE_AUTH__ALGORITHM": self.algorithm,
            "HIVEWIRE_JWKS__URLS": self.url,
            "HIVEWIRE_JWKS__MIN_AGE": "100ms",
        }
        return found | ({"HIVEWIRE_JWKS__CA": str(self.tls.cert)} if self.tls else {})

    def start(self) -> Self:
        """Answer from now on."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                answer = issuer.answers()
                time.sleep(answer.wait)
                self.send_response(answer.status)
                for header in answer.headers:
                    self.send_header(*header)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A client that goes away early is no news."""

        server = Server(("127.0.0.1", self._port), Handler)
        if self.tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.tls.cert, self.tls.key)
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._port = server.server_address[1]
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Nobody listens any more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def new_key(algorithm: str, bits: int = 2048) -> Any:
    """A private key for an algorithm."""
    if algorithm == "RS256":
        return rsa.generate_private_key(65537, bits)
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate()


def jwk_of(private: Any, algorithm: str) -> dict[str, Any]:
    """The public half of a key as JSON."""
    found = get_default_algorithms()[algorithm].to_jwk(private.public_key(), as_dict=True)
    return {"alg": algorithm, "use": "sig"} | {k: v for k, v in found.items() if k != "key_ops"}
