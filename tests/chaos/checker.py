"""The judge of a run: each promise is one function over the recorded history.

`check(history)` returns what was broken, each violation under the name of its rule; an empty list
is the only good result. The rules know the wire contract and nothing about the node. What they must
catch is listed, bug by bug, in test_checker_mutations.py.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tests.chaos.history import (
    Ack,
    Answer,
    Connect,
    Connected,
    Crash,
    Event,
    Final,
    Healed,
    History,
    Invoke,
    LineEnded,
    Page,
    Push,
    Record,
    Refusal,
    Settled,
    Sync,
    Unread,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECOND = 1_000_000_000
CONVERGE_NS = 30 * SECOND
CURSOR_SLACK_NS = SECOND
"""An ack older than this at a kill must have been written:

100 ms by contract, the rest for a busy machine.
"""

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Violation:
    """One broken promise."""

    rule: str
    words: str


def check(history: History) -> list[Violation]:
    """Apply all rules."""
    return [Violation(rule.__name__, words) for rule in RULES for words in rule(history)]


def assert_clean(history: History) -> None:
    """Fail with the first violations of each rule."""
    broken = check(history)
    counts: dict[str, int] = defaultdict(int)
    for violation in broken:
        counts[violation.rule] += 1
    words = [f"{v.rule}: {v.words}" for v in broken]
    assert not broken, f"{dict(counts)}\n" + "\n".join(words[:20])


# -- never lost -----------------------------------------------------------------------------------


def answered_is_durable(history: History) -> Iterator[str]:
    """I1: what was answered is, in the end, in the timeline of every member, at its place."""
    finals = _final_places(history)
    for answer in _of(history, Answer):
        for member in members(answer.conv):
            if member not in finals:
                continue
            found = finals[member].get((answer.user, answer.key))
            if found is None:
                yield f"{answer} is not in the timeline of {member}"
            elif (found.conv, found.n) != (answer.conv, answer.n):
                yield f"{answer} is {found} for {member}"
            elif member == answer.user and found.seq != answer.seq:
                yield f"{answer} has seq {found.seq} in its sender's timeline"


def seen_stays(history: History) -> Iterator[str]:
    """I2: what anyone saw, before whatever crash, is there afterwards, at the same place."""
    finals = {
        final.user: {event.seq: event for event in final.events} for final in _of(history, Final)
    }
    floors = {final.user: final.trimmed_before for final in _of(history, Final)}
    for record, event in _seen(history):
        if record.user in finals and event.seq >= floors[record.user]:
            now = finals[record.user].get(event.seq)
            if now != event:
                yield f"{record.user} saw {event}, now there is {now}"


# -- never twice ----------------------------------------------------------------------------------


def one_place_per_message(history: History) -> Iterator[str]:
    """I4:

    one (conv, n) for a message and one message for a (conv, n), for all observers and all time.
    """
    by_place: dict[tuple[str, int], tuple[str, str]] = {}
    by_seq: dict[tuple[str, int], tuple[str, int]] = {}
    for user, sender, key, conv, n, seq in _observations(history):
        first = by_place.setdefault((conv, n), (sender, key))
        if first != (sender, key):
            yield f"{conv} n={n} is {first} and {(sender, key)}"
        place = by_seq.setdefault((user, seq), (conv, n))
        if place != (conv, n):
            yield f"seq {seq} of {user} is {place} and {(conv, n)}"


def one_key_one_message(history: History) -> Iterator[str]:
    """I4: a key names one message, whatever was resent."""
    places: dict[tuple[str, str], tuple[str, int]] = {}
    for _, sender, key, conv, n, _ in _observations(history):
        first = places.setdefault((sender, key), (conv, n))
        if first != (conv, n):
            yield f"key {key} of {sender} is at {first} and at {(conv, n)}"
    for final in _of(history, Final):
        seqs: dict[tuple[str, str], int] = {}
        for event in final.events:
            first_seq = seqs.setdefault((event.sender, event.key), event.seq)
            if first_seq != event.seq:
                yield f"{final.user} has key {event.key} at seq {first_seq} and {event.seq}"


def nothing_invented(history: History) -> Iterator[str]:
    """What is received was sent:

    this sender, this key, this target, these words, and before it was seen.
    """
    sent: dict[tuple[str, str], Invoke] = {}
    for record in history:
        if isinstance(record, Invoke):
            sent.setdefault((record.user, record.key), record)
            continue
        for event in _events_of(record):
            origin = sent.get((event.sender, event.key))
            if origin is None or (origin.conv, origin.text) != (event.conv, event.text):
                yield f"{record.user} received {event}, sent was {origin}"


# -- in order -------------------------------------------------------------------------------------


def seq_rises(history: History) -> Iterator[str]:
    """On a line, `seq` strictly rises from the position on."""
    for record, event_seq, position in _arrivals(history):
        if position is not None and event_seq <= position:
            yield f"line {record.line} of {record.user} at {position} got seq {event_seq} again"


def no_hole(history: History) -> Iterator[str]:
    """I3, I7: no `seq` is skipped, on a line and in a timeline, unless `trimmed_before` says so."""
    for record, event_seq, position in _arrivals(history):
        if position is not None and event_seq > position + 1:
            yield f"line {record.line} of {record.user} at {position} got seq {event_seq}"
    for final in _of(history, Final):
        seqs = [event.seq for event in final.events]
        wanted = list(range(final.trimmed_before, final.trimmed_before + len(seqs)))
        if seqs != wanted:
            yield f"timeline of {final.user}/{final.device}: {_first_difference(seqs, wanted)}"
    numbers: dict[str, set[int]] = defaultdict(set)
    for final in _of(history, Final):
        if final.trimmed_before == 1:
            for event in final.events:
                numbers[event.conv].add(event.n)
    for conv, have in numbers.items():
        if have != set(range(1, len(have) + 1)):
            yield f"{conv} has {len(have)} messages, numbered to {max(have)}"


def same_on_all_devices(history: History) -> Iterator[str]:
    """I5: the devices of a user read the same timeline."""
    first: dict[str, Final] = {}
    for final in _of(history, Final):
        other = first.setdefault(final.user, final)
        if other.events != final.events:
            yield f"{final.user}: {final.device} and {other.device} read different timelines"


def own_order_kept(history: History) -> Iterator[str]:
    """A device's sends to a conversation stand there in the order in which it first sent them.

    And on each line the `sent`s come in the order of its sends.
    """
    refused = {(refusal.user, refusal.key) for refusal in _of(history, Refusal)}
    place = {
        (event.sender, event.key): event.n
        for final in _of(history, Final)
        for event in final.events
    }
    last: dict[tuple[str, str, str], int] = {}
    begun: set[tuple[str, str]] = set()
    for invoke in _of(history, Invoke):
        name = (invoke.user, invoke.key)
        n = place.get(name)
        if name in begun or name in refused or n is None:
            continue
        begun.add(name)
        lane = (invoke.user, invoke.device, invoke.conv)
        if n <= last.get(lane, 0):
            yield f"{invoke} became n={n} behind {last[lane]}"
        last[lane] = max(n, last.get(lane, 0))
    yield from _answers_out_of_order(history)


def real_time_order(history: History) -> Iterator[str]:
    """What was sent after another message had been answered stands behind it."""
    place = {
        (event.sender, event.key): event.n
        for final in _of(history, Final)
        for event in final.events
    }
    answered: dict[str, int] = {}
    begun: set[tuple[str, str]] = set()
    for record in history:
        if isinstance(record, Answer):
            answered[record.conv] = max(record.n, answered.get(record.conv, 0))
        elif isinstance(record, Invoke) and (record.user, record.key) not in begun:
            begun.add((record.user, record.key))
            n = place.get((record.user, record.key))
            if n is not None and n <= answered.get(record.conv, 0):
                yield f"{record} became n={n}, n={answered[record.conv]} had been answered"


# -- to the right ones, from the right place ------------------------------------------------------


def only_members_receive(history: History) -> Iterator[str]:
    """An event reaches the members of its conversation and nobody else."""
    for record, event in _seen(history):
        if record.user not in members(event.conv):
            yield f"{record.user} received {event}"


def cursors_keep(history: History) -> Iterator[str]:
    """I6: a stored cursor is what was acknowledged: never more, and back only by `connect.cursor`.

    The end of a line or a kill may cost the acks of its last moments, a power cut all that came
    after the last `connect` that set the cursor (or made the device), which is durable before its
    `connected`.
    """
    devices: dict[tuple[str, str], _Cursor] = defaultdict(_Cursor)
    for record in history:
        if isinstance(record, Crash):
            for cursor in devices.values():
                cursor.crash(record)
        elif isinstance(record, Connect):
            devices[record.user, record.device].asked(record)
        elif isinstance(record, Connected):
            yield from devices[record.user, record.device].connected(record)
        elif isinstance(record, (Ack, Sync)):
            devices[record.user, record.device].acked(record)
        elif isinstance(record, LineEnded):
            devices[record.user, record.device].settle(record.at)


def resets_are_told(history: History) -> Iterator[str]:
    """A cursor is taken as given, or the client is told to start again:

    only when it lies above the head.
    """
    for connected in _of(history, Connected):
        above = connected.given is not None and connected.given > connected.head
        if connected.reset != above:
            yield f"{connected} has the wrong reset"
        elif above and connected.cursor != 0:
            yield f"{connected} does not start again"
        elif not above and connected.given is not None and connected.cursor != connected.given:
            yield f"{connected} silently moved the cursor"


# -- the end --------------------------------------------------------------------------------------


def unread_is_countable(history: History) -> Iterator[str]:
    """The node's unread count is the number of others' messages above the mark."""
    finals = {final.user: final for final in _of(history, Final)}
    for told in _of(history, Unread):
        events = finals[told.user].events if told.user in finals else ()
        mine = [
            e for e in events if e.conv == told.conv and e.n > told.read and e.sender != told.user
        ]
        if len(mine) != told.unread:
            yield f"{told}: {len(mine)} can be counted"


def converges(history: History) -> Iterator[str]:
    """Within 30 s of healing all have read everything, every send is settled, every live line is at
    the head.
    """
    heads = {
        final.user: final.trimmed_before + len(final.events) - 1 for final in _of(history, Final)
    }
    healed = max((record.at for record in _of(history, Healed)), default=None)
    if healed is None:
        return
    for record in history:
        if isinstance(record, (Final, Settled)) and record.at - healed > CONVERGE_NS:
            yield f"{record.user}/{record.device} took {(record.at - healed) / SECOND:.1f} s"
        if isinstance(record, Settled) and record.position != heads.get(
            record.user, record.position
        ):
            words = f"stopped at {record.position}, head {heads[record.user]}"
            yield f"live line {record.line} of {record.user} {words}"
    settled = {(r.user, r.key) for r in history if isinstance(r, (Answer, Refusal))}
    for invoke in _of(history, Invoke):
        if (invoke.user, invoke.key) not in settled:
            yield f"{invoke} was never answered, though sent again"
    for invoke in {invoke.user: invoke for invoke in _of(history, Invoke)}.values():
        if invoke.user not in heads:
            yield f"{invoke.user} never read everything"


RULES: tuple[Callable[[History], Iterator[str]], ...] = (
    answered_is_durable,
    seen_stays,
    one_place_per_message,
    one_key_one_message,
    nothing_invented,
    seq_rises,
    no_hole,
    same_on_all_devices,
    own_order_kept,
    real_time_order,
    only_members_receive,
    cursors_keep,
    resets_are_told,
    unread_is_countable,
    converges,
)


def assert_did_enough(history: History, *, answered: int, crashes: int = 0) -> None:
    """A run that did little proves little: a minimum of answered sends, most crashes amid work."""
    keys = {(answer.user, answer.key) for answer in _of(history, Answer)}
    assert len(keys) >= answered, f"only {len(keys)} sends were answered, {answered} wanted"
    hits = [crash.in_flight > 0 for crash in _of(history, Crash)]
    assert len(hits) >= crashes, f"only {len(hits)} crashes, {crashes} wanted"
    assert sum(hits) * 10 >= len(hits) * 6, (
        f"only {sum(hits)} of {len(hits)} crashes hit work in flight"
    )


# -- below: how the rules look at a history -------------------------------------------------------


def members(conv: str) -> tuple[str, ...]:
    """Return the members of a direct conversation, by its name."""
    kind, _, names = conv.partition(":")
    assert kind == "direct", conv
    return tuple(names.split(","))


class _Cursor:
    """What a device's stored cursor may be: between `low` and `high`."""

    def __init__(self) -> None:
        self.known = False
        self.durable = 0
        self.low = 0
        self.high = 0
        self.acks: list[tuple[int, int]] = []

    def asked(self, record: Connect) -> None:
        """From here to its `connected` the cursor may or may not be the given one."""
        if record.given is not None:
            self.durable = min(self.durable, record.given)
            self.low = min(self.low, record.given)
            self.high = max(self.high, record.given)

    def acked(self, record: Ack | Sync) -> None:
        seq = record.seq if isinstance(record, Ack) else record.after
        self.acks.append((record.at, seq))
        self.high = max(self.high, seq)

    def crash(self, crash: Crash) -> None:
        if crash.how == "cut":
            self.low = self.durable
        else:
            self.settle(crash.at)
        self.acks.clear()

    def settle(self, now: int) -> None:
        """What was acknowledged long enough ago is written; the rest may be lost with the line."""
        written = [seq for at, seq in self.acks if now - at > CURSOR_SLACK_NS]
        self.low = max([self.low, *written])
        self.acks.clear()

    def connected(self, record: Connected) -> Iterator[str]:
        if record.given is None and self.known:
            self.settle(record.at)
            if not self.low <= record.cursor <= self.high:
                yield f"{record}: the cursor lies in {self.low}…{self.high}"
        if record.given is not None or not self.known:
            self.durable = record.cursor
            self.acks.clear()
            self.high = record.cursor
        self.known = True
        self.low = record.cursor
        self.high = max(self.high, record.cursor)


def _of(history: History, kind: type[R]) -> Iterator[R]:
    return (record for record in history if isinstance(record, kind))


def _events_of(record: Record) -> tuple[Event, ...]:
    if isinstance(record, Push):
        return (record.event,)
    return record.events if isinstance(record, (Page, Final)) else ()


def _seen(history: History) -> Iterator[tuple[Record, Event]]:
    return ((record, event) for record in history for event in _events_of(record))


def _observations(history: History) -> Iterator[tuple[str, str, str, str, int, int]]:
    """Whatever tells a place: (observer, sender, key, conv, n, seq of the observer)."""
    for record in history:
        if isinstance(record, Answer):
            yield record.user, record.user, record.key, record.conv, record.n, record.seq
        for event in _events_of(record):
            yield record.user, event.sender, event.key, event.conv, event.n, event.seq


def _final_places(history: History) -> dict[str, dict[tuple[str, str], Event]]:
    return {
        final.user: {(event.sender, event.key): event for event in final.events}
        for final in _of(history, Final)
    }


def _first_difference(have: list[int], wanted: list[int]) -> str:
    for one, other in zip(have, wanted, strict=True):
        if one != other:
            return f"seq {one} where {other} belongs"
    return "equal"


class _Position:
    """What a client knows of the place of its line: protocol section 5, "Position"."""

    def __init__(self) -> None:
        self.seq = 0
        self.live = False
        self.open_syncs = 0


def _arrivals(history: History) -> Iterator[tuple[Record, int, int | None]]:
    """Each `seq` that came on a line, with the position before it (None:

    any `seq` is right there).
    """
    lines: dict[int, _Position] = defaultdict(_Position)
    for record in history:
        at = lines[record.line]
        if isinstance(record, Connected):
            at.seq, at.live = record.cursor, record.cursor == record.head
        elif isinstance(record, Sync):
            at.open_syncs += 1
        elif isinstance(record, Page):
            yield from _page_arrivals(record, at)
        elif isinstance(record, Push):
            yield record, record.event.seq, at.seq
            at.seq = record.event.seq
        elif isinstance(record, Answer) and not record.dup:
            yield from _sent_arrivals(record, at)


def _page_arrivals(page: Page, at: _Position) -> Iterator[tuple[Record, int, int | None]]:
    position = max(page.after, page.trimmed_before - 1)
    for event in page.events:
        yield page, event.seq, position
        position = event.seq
    at.open_syncs = max(0, at.open_syncs - 1)
    at.seq, at.live = page.next, page.done


def _sent_arrivals(answer: Answer, at: _Position) -> Iterator[tuple[Record, int, int | None]]:
    """A first `sent` fills its place on a live line; behind an open `sync` the line may be live or
    not.
    """
    if at.live and not at.open_syncs:
        yield answer, answer.seq, at.seq
        at.seq = answer.seq
    elif at.open_syncs and answer.seq == at.seq + 1:
        at.seq = answer.seq


def _answers_out_of_order(history: History) -> Iterator[str]:
    """On each line the answered keys must be a subsequence of the sent ones."""
    sent: dict[int, list[str]] = defaultdict(list)
    reached: dict[int, int] = defaultdict(int)
    for record in history:
        if isinstance(record, Invoke):
            sent[record.line].append(record.key)
        elif isinstance(record, Answer):
            keys = sent[record.line]
            try:
                reached[record.line] = keys.index(record.key, reached[record.line]) + 1
            except ValueError:
                yield f"{record} overtook another sent of its line"
