"""MQTT 3.1.1, as much as a chat needs: an inbox is a topic, a message that is kept has QoS 1."""

from __future__ import annotations

from typing import Final

from peers.load.crew import Line

CONNACK, PUBLISH, PUBACK, SUBACK = 2, 3, 4, 9
KEEP_ALIVE_SECONDS: Final = 600


def packet(first: int, body: bytes) -> bytes:
    """A control packet: its first byte, its length in groups of seven bits, its body."""
    size, length = len(body), bytearray()
    while True:
        size, low = size >> 7, size & 127
        length.append(low | 128 if size else low)
        if not size:
            return bytes((first,)) + length + body


def text(value: str) -> bytes:
    """A string with its length in front."""
    return len(value).to_bytes(2, "big") + value.encode()


class MqttLine(Line):
    """One MQTT session; kept ones outlive their connection."""

    answers = True
    packet_id = 0

    def hello(self) -> None:
        """CONNECT and SUBSCRIBE."""
        self.kept = self.crew.work == "messages"
        flags = bytes((0 if self.kept else 2,)) + KEEP_ALIVE_SECONDS.to_bytes(2, "big")
        connect = text("MQTT") + b"\x04" + flags + text(f"c{self.number}")
        subscribe = b"\x00\x01" + text(self.inbox) + bytes((int(self.kept),))
        self.transport.write(packet(0x10, connect) + packet(0x82, subscribe))

    def feed(self, data: bytes) -> bytes:
        """Packet by packet."""
        at = 0
        while (end := self._packet(data, at)) is not None:
            at = end
        return data[at:]

    def _packet(self, data: bytes, at: int) -> int | None:
        """Take the packet at `at`; where the next begins, None when it is not whole."""
        length, shift, body = 0, 0, at + 1
        while True:
            if body >= len(data):
                return None
            byte = data[body]
            length |= (byte & 127) << shift
            shift += 7
            body += 1
            if byte < 128:
                break
        end = body + length
        if end > len(data):
            return None
        self._take(data[at], data[body:end])
        return end

    def _take(self, first: int, body: bytes) -> None:
        kind = first >> 4
        if kind == PUBLISH:
            start = 2 + int.from_bytes(body[:2], "big")
            if first & 6:
                self.transport.write(b"\x40\x02" + body[start : start + 2])
                start += 2
            self.crew.arrived(self, body[start:])
        elif kind == PUBACK:
            self.crew.answered(self)
        elif kind == SUBACK:
            self.stands()
        elif kind == CONNACK and body[1]:
            self.crew.faults[f"CONNACK {body[1]}"] += 1

    def publish(self, inbox: str, payload: bytes) -> None:
        """PUBLISH, with QoS 1 where the message is to be kept."""
        if not self.kept:
            self.transport.write(packet(0x30, text(inbox) + payload))
            return
        self.packet_id = self.packet_id % 65_535 + 1
        head = text(inbox) + self.packet_id.to_bytes(2, "big")
        self.transport.write(packet(0x32, head + payload))
