"""NATS: an inbox is a subject. `JetStreamLine` waits for the stream's answer in `messages`."""

from __future__ import annotations

import json
from typing import Final

from peers.load.crew import Line

STREAM: Final = {"name": "MSG", "subjects": ["kept.*"], "storage": "file", "num_replicas": 1}
MESSAGE, ANSWER, CREATED = b"1", b"2", b"3"


class NatsLine(Line):
    """One client of NATS core: what nobody reads at that moment is gone."""

    prefix = ""

    def hello(self) -> None:
        """CONNECT, SUB, and a PING whose PONG says that all of it was heard."""
        own = f"_R.{self.number}"
        options = b'CONNECT {"verbose":false,"pedantic":false,"lang":"raw","version":"1"}\r\n'
        subscriptions = f"SUB {self.prefix}{self.inbox} 1\r\nSUB {own} 2\r\nSUB {own}.new 3\r\n"
        self.transport.write(options + subscriptions.encode() + b"PING\r\n")

    def feed(self, data: bytes) -> bytes:
        """Operation by operation; only MSG has a payload."""
        at = 0
        while (line_end := data.find(b"\r\n", at)) >= 0:
            if not data.startswith(b"MSG ", at):
                self._control(data[at:line_end])
                at = line_end + 2
                continue
            words = data[at:line_end].split()
            start = line_end + 2
            end = start + int(words[-1])
            if end + 2 > len(data):
                break
            self._message(words[2], data[start:end])
            at = end + 2
        return data[at:]

    def _control(self, line: bytes) -> None:
        if line == b"PING":
            self.transport.write(b"PONG\r\n")
        elif line == b"PONG":
            self.subscribed()
        elif line.startswith(b"-ERR"):
            self.crew.faults[line.decode()] += 1

    def _message(self, sid: bytes, payload: bytes) -> None:
        if sid == MESSAGE:
            self.crew.arrived(self, payload)
        elif b'"error"' in payload:
            self.crew.faults[payload.decode()[:120]] += 1
        elif sid == CREATED:
            self.stands()
        elif sid == ANSWER:
            self.crew.answered(self)

    def subscribed(self) -> None:
        """The server knows the subscriptions."""
        self.stands()

    def publish(self, inbox: str, payload: bytes) -> None:
        """PUB without an answer."""
        self.transport.write(b"PUB %s %d\r\n%s\r\n" % (inbox.encode(), len(payload), payload))


class JetStreamLine(NatsLine):
    """The same with a stream that keeps everything; the partner reads by plain subscription."""

    answers = True
    prefix = "kept."

    def subscribed(self) -> None:
        """The first one makes the stream."""
        if self.number:
            self.stands()
            return
        body = json.dumps(STREAM).encode()
        subject = b"$JS.API.STREAM.CREATE.MSG _R.0.new"
        self.transport.write(b"PUB %s %d\r\n%s\r\n" % (subject, len(body), body))

    def publish(self, inbox: str, payload: bytes) -> None:
        """PUB with a subject for the stream's answer."""
        head = f"PUB kept.{inbox} _R.{self.number} {len(payload)}\r\n"
        self.transport.write(head.encode() + payload + b"\r\n")
