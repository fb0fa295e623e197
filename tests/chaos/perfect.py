"""A perfect node in memory, and the history that its clients would record:

what mutations start from.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tests.chaos.history import (
    Ack,
    Answer,
    Connected,
    Crash,
    Event,
    Final,
    Healed,
    History,
    Invoke,
    Page,
    Push,
    Settled,
    Sync,
    Unread,
)

TICK_NS = 100_000_000
PAGE = 4


@dataclass
class Device:
    """One device and its line; `position` is what the node has sent it."""

    user: str
    name: str
    line: int = 0
    live: bool = False
    position: int = 0
    acked: int = 0


@dataclass
class Perfect:
    """Steps of a run; each writes what the clients saw into `history`."""

    rng: random.Random
    history: History = field(default_factory=list)
    timelines: dict[str, list[Event]] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    devices: list[Device] = field(default_factory=list)
    now: int = 0
    lines: int = 0
    keys: int = 0

    def stamp(self, device: Device) -> tuple[int, int, str, str]:
        self.now += TICK_NS
        return self.now, device.line, device.user, device.name

    def add(self, user: str, name: str) -> None:
        self.devices.append(Device(user, name))
        self.timelines.setdefault(user, [])
        self.connect(self.devices[-1], new=True)

    def connect(self, device: Device, given: int | None = None, *, new: bool = False) -> None:
        """Connect and catch up page by page."""
        self.lines += 1
        device.line = self.lines
        head = len(self.timelines[device.user])
        cursor = head if new else device.acked if given is None else given
        self.history.append(
            Connected(*self.stamp(device), given, cursor, head, 1, new_device=new, reset=False)
        )
        device.position, device.acked = cursor, cursor
        device.live = cursor == head
        while not device.live:
            self.page(device)

    def page(self, device: Device) -> None:
        after = device.position
        self.history.append(Sync(*self.stamp(device), after))
        events = tuple(self.timelines[device.user][after : after + PAGE])
        device.position = after + len(events)
        device.acked = max(device.acked, after)
        device.live = device.position == len(self.timelines[device.user])
        page = Page(*self.stamp(device), after, events, device.position, device.live)
        self.history.append(page)

    def send(self, device: Device, to: str, *, answered: bool = True) -> str:
        """One message; unanswered ones are stored all the same and can be sent again."""
        self.keys += 1
        key = f"key-{self.keys:04}"
        conv = f"direct:{','.join(sorted((device.user, to)))}"
        self.history.append(Invoke(*self.stamp(device), key, conv, f"text of {key}"))
        n = self.lengths[conv] = self.lengths.get(conv, 0) + 1
        for user in {device.user, to}:
            seq = len(self.timelines[user]) + 1
            event = Event(seq, conv, n, device.user, key, f"text of {key}")
            self.timelines[user].append(event)
        seq = len(self.timelines[device.user])
        if answered:
            self.history.append(Answer(*self.stamp(device), key, conv, n, seq, dup=False))
            device.position = seq
            self.deliver(device)
        return key

    def resend(self, device: Device, key: str) -> None:
        event = next(
            e for e in self.timelines[device.user] if e.key == key and e.sender == device.user
        )
        self.history.append(Invoke(*self.stamp(device), key, event.conv, event.text))
        self.history.append(
            Answer(*self.stamp(device), key, event.conv, event.n, event.seq, dup=True)
        )

    def deliver(self, origin: Device) -> None:
        for device in self.devices:
            timeline = self.timelines[device.user]
            while device is not origin and device.live and device.position < len(timeline):
                self.history.append(Push(*self.stamp(device), timeline[device.position]))
                device.position += 1

    def ack(self, device: Device) -> None:
        device.acked = max(device.acked, device.position)
        self.history.append(Ack(*self.stamp(device), device.position))
        self.now += 20 * TICK_NS

    def crash(self, in_flight: int) -> None:
        self.now += TICK_NS
        self.history.append(Crash(self.now, 0, "", "", "kill", in_flight))
        for device in self.devices:
            device.live = False

    def finish(self) -> History:
        self.history.append(Healed(self.now, 0, "", ""))
        for device in self.devices:
            if not device.live:
                self.connect(device)
            self.history.append(Settled(*self.stamp(device), device.position))
            self.history.append(Final(*self.stamp(device), tuple(self.timelines[device.user])))
        for conv, length in self.lengths.items():
            user = conv.removeprefix("direct:").split(",")[0]
            device = next(device for device in self.devices if device.user == user)
            others = [
                e for e in self.timelines[user] if e.conv == conv and e.sender != user and e.n > 1
            ]
            assert length >= len(others)
            self.history.append(Unread(*self.stamp(device), conv, 1, len(others)))
        return self.history


def good_history(seed: int = 1) -> History:
    """A run of three users and four devices with one crash, resends and catching up."""
    perfect = Perfect(random.Random(seed))
    for user, name in (("ann", "phone"), ("ann", "desk"), ("bob", "phone"), ("cat", "phone")):
        perfect.add(user, name)
    users = ["ann", "bob", "cat"]

    def work(count: int) -> None:
        for _ in range(count):
            device = perfect.rng.choice(perfect.devices)
            perfect.send(device, perfect.rng.choice(users))
            if perfect.rng.random() < 0.3:
                perfect.ack(perfect.rng.choice(perfect.devices))

    work(12)
    lost = [perfect.send(device, "cat", answered=False) for device in perfect.devices]
    perfect.crash(in_flight=len(lost))
    for device, key in zip(perfect.devices, lost, strict=True):
        # Every second device asks from the beginning again: what it has, it gets once more.
        perfect.connect(device, given=0 if device.name == "desk" else None)
        perfect.resend(device, key)
    work(12)
    return perfect.finish()
