"""What devices do: send, change their minds, join and leave, read, go through tunnels.

Each is a function of the device; `act` picks one by the seed. Some are wrong on purpose in a way in
which good clients are: they do not know yet that somebody was faster, and are refused.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.chaos.history import Block, Event, HistoryRead, Listening, ReadDone
from tests.sim.device import WINDOW, Keyed
from tests.sim.loop import MS, S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sim.device import Device, Message

EMOJIS = ("+1", "heart")


def act(device: Device) -> None:
    """One thing that a device does now and then."""
    if device.wire is None or not device.live:
        return
    behaviours, weights = GROUPS if device.world.pool else DIRECT
    behaviour = device.rng.choices(behaviours, weights)[0]
    device.world.counts[behaviour.__name__] += 1
    behaviour(device)


def may_change(device: Device) -> bool:
    return device.world.sending and len(device.open) < WINDOW


# -- messages -------------------------------------------------------------------------------------


def send_new(device: Device) -> None:
    if not may_change(device):
        return
    rng, known = device.rng, list(device.world.known)
    key = device.next_key()
    if known and rng.random() < 0.6:
        conv = to = rng.choice(known)
    else:
        peer = rng.choice(device.world.users)
        conv = f"direct:{','.join(sorted((device.user, peer)))}"
        to = f"user:{peer}" if rng.random() < 0.5 else conv
    text = f"text of {key}"
    device.change(Keyed("send", key, conv, {"to": to, "text": text}, text))


def burst(device: Device) -> None:
    for _ in range(WINDOW):
        send_new(device)


def resend_settled(device: Device) -> None:
    """What was answered is sent again, as after an answer that got lost."""
    if device.settled:
        device.send(device.rng.choice(list(device.settled.values())))


def edit(device: Device) -> None:
    mine = [event for event in device.recent if event.sender == device.user]
    if mine and may_change(device):
        event, key = device.rng.choice(mine), device.next_key()
        fields = {"conv": event.conv, "n": event.n, "text": f"edited by {key}"}
        about = json.dumps({"target": event.n})
        device.change(Keyed("edit", key, event.conv, fields, fields["text"], about))


def recall(device: Device) -> None:
    """One's own, or anybody's: who looks after a group may."""
    if device.recent and may_change(device):
        event, key = device.rng.choice(device.recent), device.next_key()
        fields = {"conv": event.conv, "n": event.n}
        about = json.dumps({"target": event.n})
        device.change(Keyed("recall", key, event.conv, fields, "", about))


def react(device: Device) -> None:
    if device.recent and may_change(device):
        event, key = device.rng.choice(device.recent), device.next_key()
        said = {"emoji": device.rng.choice(EMOJIS), "on": device.schedule.chance(0.7)}
        about = json.dumps(said | {"target": event.n}, sort_keys=True)
        fields = {"conv": event.conv, "n": event.n, **said}
        device.change(Keyed("react", key, event.conv, fields, "", about))


# -- groups and channels --------------------------------------------------------------------------


def create(device: Device) -> None:
    """A group or channel out of the pool, if nobody was faster."""
    missing = [conv for conv in device.world.pool if conv not in device.world.known]
    if not missing or not may_change(device):
        return
    conv, rng = device.rng.choice(missing), device.rng
    kind, _, group = conv.partition(":")
    others = rng.sample(device.world.users, rng.randint(1, len(device.world.users) - 1))
    fields = {"group": group, "kind": kind, "name": conv, "members": others}
    fields["history"] = rng.choice(("all", "joined"))
    device.change(Keyed("group.create", device.next_key(), conv, fields))


def _of_group(device: Device, op: str, **fields: object) -> None:
    known = list(device.world.known)
    if known and may_change(device):
        conv = device.rng.choice(known)
        device.change(Keyed(op, device.next_key(), conv, {"conv": conv, **fields}))


def add(device: Device) -> None:
    _of_group(device, "group.add", members=device.rng.sample(device.world.users, 2))


def remove(device: Device) -> None:
    _of_group(device, "group.remove", members=device.rng.sample(device.world.users, 1))


def leave_group(device: Device) -> None:
    _of_group(device, "group.leave")


def rename(device: Device) -> None:
    _of_group(device, "group.update", name=f"name by {device.name}{device.rng.randrange(9)}")


def give_role(device: Device) -> None:
    role = device.rng.choice(("owner", "admin", "member"))
    _of_group(device, "group.update", user=device.rng.choice(device.world.users), role=role)


def open_channel(device: Device) -> None:
    _of_channel(device, "open")


def close_channel(device: Device) -> None:
    _of_channel(device, "close")


def _of_channel(device: Device, op: str) -> None:
    channels = [conv for conv in device.world.known if conv.startswith("channel:")]
    if channels:
        conv = device.rng.choice(channels)

        def hear(message: Message) -> None:
            head = message["head"]
            listening = Listening(*device.stamp(), conv, head if op == "open" else None)
            device.write(listening)
            device.hear_channel({"conv": conv, "head": head})

        device.ask(hear, op, conv=conv)


# -- reading --------------------------------------------------------------------------------------


def read(device: Device) -> None:
    if device.recent:
        event = device.rng.choice(device.recent)

        def hear(_message: Message) -> None:
            device.write(ReadDone(*device.stamp(), event.conv, event.n))

        device.ask(hear, "read", conv=event.conv, n=event.n)


def look_back(device: Device) -> None:
    """A part of the history of a conversation."""
    convs = [*device.world.known, *(event.conv for event in device.recent)]
    if convs:
        rng, conv = device.rng, device.rng.choice(convs)
        side = rng.choice(({}, {"after": rng.randrange(5)}, {"before": rng.randrange(1, 12)}))

        def hear(message: Message) -> None:
            events = tuple(map(Event.of, message["items"]))
            device.write(HistoryRead(*device.stamp(), conv, events))

        device.ask(hear, "history", conv=conv, limit=rng.choice((2, 10, 100)), **side)


def list_conversations(device: Device) -> None:
    device.ask(device.hear_conversations, "conversations", limit=100, messages=3)


def type_on(device: Device) -> None:
    if device.recent:
        conv = device.rng.choice(device.recent).conv
        device.ask(_nothing, "typing", conv=conv, state="start")


def ask_outcome(device: Device) -> None:
    """What became of a command that was answered: the same."""
    if device.places:
        key = device.rng.choice(list(device.places))

        def hear(message: Message) -> None:
            sent = message["sent"]
            if (sent["conv"], sent["n"], sent.get("seq", 0)) != device.places[key]:
                device.world.surprise(device, message)

        device.ask(hear, "outcome", key=key)


def block(device: Device) -> None:
    """Somebody's direct messages are refused for a while."""
    other = _another(device)
    device.write(Block(*device.stamp(), other))
    device.ask(_nothing, "block", user=other)


def unblock(device: Device) -> None:
    device.ask(_nothing, "unblock", user=_another(device))


def _another(device: Device) -> str:
    return device.rng.choice([user for user in device.world.users if user != device.user])


def watch(device: Device) -> None:
    device.ask(_nothing, "watch", users=device.rng.sample(device.world.users, 2))


def set_status(device: Device) -> None:
    device.ask(_nothing, "status", state=device.rng.choice(("online", "away", "invisible")))


def _nothing(_message: Message) -> None: ...


def ack(device: Device) -> None:
    device.ack()


def sync_again(device: Device) -> None:
    """A sync while live stops the pushes until its last page; sends go on meanwhile."""
    rng = device.rng
    device.ask_page(rng.choice((1, 5, 500)), back=rng.randint(0, 10))
    if rng.random() < 0.3:
        device.ask_page(500, back=rng.randint(0, 5))
    if rng.random() < 0.5:
        send_new(device)


# -- lines ----------------------------------------------------------------------------------------


def ping(device: Device) -> None:
    device.say("ping")


def cut(device: Device) -> None:
    device.cut()


def leave(device: Device) -> None:
    device.cut(abort=False)


def fall_silent(device: Device) -> None:
    device.fall_silent()


def pause_briefly(device: Device) -> None:
    device.stop_reading(device.schedule.between(10 * MS, 15 * S))


Behaviours = tuple[tuple["Callable[[Device], None]", ...], tuple[int, ...]]


def _weighed(*weights: tuple[Callable[[Device], None], int]) -> Behaviours:
    return tuple(zip(*weights, strict=True))  # type: ignore[return-value]


_LINES = (
    *((ack, 15), (resend_settled, 4), (sync_again, 6), (ping, 2), (cut, 3), (leave, 1)),
    *((fall_silent, 1), (pause_briefly, 1)),
)
DIRECT = _weighed((send_new, 50), (burst, 6), *_LINES)
GROUPS = _weighed(
    *((send_new, 35), (burst, 3), (edit, 5), (recall, 3), (react, 6)),
    *((create, 8), (add, 6), (remove, 3), (leave_group, 2), (rename, 2), (give_role, 2)),
    *((read, 10), (look_back, 4), (list_conversations, 3), (type_on, 1)),
    *((open_channel, 3), (close_channel, 1), (ask_outcome, 2)),
    *((block, 1), (unblock, 3), (watch, 1), (set_status, 1)),
    *_LINES,
)
"""What is done how often, of all that is done."""
