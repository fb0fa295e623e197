"""XMPP: an inbox is an address, everybody's is a room (XEP-0045).

A server does not answer a message; it counts when its partner has it. Stanzas are found by their
tags, not parsed: the server's are known.
"""

from __future__ import annotations

import base64
from typing import Final

from peers.load.crew import EVERYBODY, Line

HOST: Final = "localhost"
ROOM: Final = f"{EVERYBODY}@conference.{HOST}"
OPEN: Final = (
    f"<stream:stream xmlns='jabber:client' to='{HOST}' version='1.0' "
    "xmlns:stream='http://etherx.jabber.org/streams'>"
)
BIND: Final = (
    "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
    "<resource>r</resource></bind></iq>"
)
JOIN: Final = (
    "<presence to='{room}/u{number}'><x xmlns='http://jabber.org/protocol/muc'>"
    "<history maxstanzas='0'/></x></presence>"
)


class XmppLine(Line):
    """One user with one resource, available."""

    def hello(self) -> None:
        """Open the stream."""
        self.step = self._authenticate
        self._say(OPEN)

    def feed(self, data: bytes) -> bytes:
        """The steps of the login one by one, then message by message."""
        if not self.standing.done():
            return self.step(data)
        at = 0
        while (end := data.find(b"</message>", at)) >= 0:
            self._message(data[at:end])
            at = end + len(b"</message>")
        return data[at:]

    def _say(self, words: str) -> None:
        self.transport.write(words.encode())

    def _authenticate(self, data: bytes) -> bytes:
        if b"</stream:features>" not in data:
            return data
        secret = base64.b64encode(f"\0u{self.number}\0any".encode()).decode()
        sasl = "urn:ietf:params:xml:ns:xmpp-sasl"
        self._say(f"<auth xmlns='{sasl}' mechanism='PLAIN'>{secret}</auth>")
        self.step = self._restart
        return b""

    def _restart(self, data: bytes) -> bytes:
        if b"<success" not in data:
            if b"<failure" in data:
                self.crew.faults["login refused"] += 1
            return data
        self._say(OPEN)
        self.step = self._bind
        return b""

    def _bind(self, data: bytes) -> bytes:
        if b"</stream:features>" not in data:
            return data
        self._say(BIND)
        self.step = self._appear
        return b""

    def _appear(self, data: bytes) -> bytes:
        if b"</iq>" not in data:
            return data
        self._say("<presence/>")
        self.step = self._join
        return b""

    def _join(self, data: bytes) -> bytes:
        """Our own presence has come back: we are reachable."""
        if b"<presence" not in data:
            return data
        if self.inbox != EVERYBODY:
            self.stands()
            return b""
        self._say(JOIN.format(room=ROOM, number=self.number))
        self.step = self._joined
        return b""

    def _joined(self, data: bytes) -> bytes:
        """A room ends what it tells a newcomer with its subject."""
        if b"<subject" not in data or b"</message>" not in data:
            if b"type='error'" in data:
                self.crew.faults["room refused"] += 1
            return data
        self.stands()
        return b""

    def _message(self, stanza: bytes) -> None:
        _, found, rest = stanza.partition(b"<body>")
        if found:
            self.crew.arrived(self, rest)
        elif b"type='error'" in stanza:
            self.crew.faults["message refused"] += 1

    def publish(self, inbox: str, payload: bytes) -> None:
        """A chat message, or one to the room."""
        to, kind = (ROOM, "groupchat") if inbox == EVERYBODY else (f"{inbox}@{HOST}", "chat")
        identity = f"{self.number}-{self.sent}"
        self._say(
            f"<message to='{to}' type='{kind}' id='{identity}'>"
            f"<body>{payload.decode()}</body></message>"
        )
