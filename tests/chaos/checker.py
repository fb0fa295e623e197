"""The judge of a run: each promise is one function over the recorded history.

`check(history)` returns what was broken, each violation under the name of its rule; an empty list
is the only good result. The rules know the wire contract and nothing about the node. What they must
catch is listed, bug by bug, in test_checker_mutations.py.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tests.chaos.arrivals import arrivals
from tests.chaos.cursor import Cursor
from tests.chaos.history import (
    Ack,
    Answer,
    Block,
    Connect,
    Connected,
    Crash,
    Event,
    Final,
    GroupTold,
    Healed,
    History,
    HistoryRead,
    Invoke,
    LineEnded,
    Page,
    Push,
    Record,
    Refusal,
    Settled,
    Silent,
    Sync,
    Unread,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECOND = 1_000_000_000
CONVERGE_NS = 30 * SECOND
R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Violation:
    """One broken promise."""

    rule: str
    words: str


def check(history: History) -> list[Violation]:
    """Apply all rules."""
    return [Violation(rule.__name__, words) for rule in RULES for words in rule(history)]


# -- never lost -----------------------------------------------------------------------------------


def answered_is_durable(history: History) -> Iterator[str]:
    """I1: what was answered is, in the end, in the timeline of every member, at its place."""
    finals = _final_events(history)
    for answer in _of(history, Answer):
        for member in members(answer.conv) or ((answer.user,) if answer.seq else ()):
            if member not in finals:
                continue
            found = finals[member].get((answer.user, answer.key, answer.type))
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
        if record.user in finals and event.seq and event.seq >= floors[record.user]:
            now = finals[record.user].get(event.seq)
            if now is None or not same(event, now):
                yield f"{record.user} saw {event}, now there is {now}"


# -- never twice ----------------------------------------------------------------------------------


def one_place_per_message(history: History) -> Iterator[str]:
    """I4:

    one (conv, n) for a message and one message for a (conv, n), for all observers and all time.
    """
    by_place: dict[tuple[str, int], Name] = {}
    by_seq: dict[tuple[str, int], tuple[str, int]] = {}
    for user, name, conv, n, seq in _observations(history):
        first = by_place.setdefault((conv, n), name)
        if first != name:
            yield f"{conv} n={n} is {first} and {name}"
        place = by_seq.setdefault((user, seq), (conv, n))
        if seq and place != (conv, n):
            yield f"seq {seq} of {user} is {place} and {(conv, n)}"


def one_key_one_message(history: History) -> Iterator[str]:
    """I4: a key names one message, whatever was resent."""
    places: dict[Name, tuple[str, int]] = {}
    for _, name, conv, n, _ in _observations(history):
        first = places.setdefault(name, (conv, n))
        if first != (conv, n):
            yield f"{name} is at {first} and at {(conv, n)}"
    for final in _of(history, Final):
        seqs: dict[Name, int] = {}
        for event in final.events:
            first_seq = seqs.setdefault(name_of(event), event.seq)
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
            if origin is None or not _comes_of(event, origin):
                yield f"{record.user} received {event}, sent was {origin}"


MADE_BY = {
    "send": {"message"},
    "edit": {"edit"},
    "recall": {"recall"},
    "react": {"reaction"},
    "group.create": {"conversation", "membership"},
    "group.add": {"membership", "conversation"},
    "group.remove": {"membership"},
    "group.leave": {"membership"},
    "group.update": {"conversation", "membership"},
}
"""Which events a command makes."""


def _comes_of(event: Event, origin: Invoke) -> bool:
    """Whether this is what was asked for. A message in a history may have another text by now."""
    told = event.recalled or (event.seq == 0 and event.type == "message")
    return (
        event.type in MADE_BY[origin.op]
        and event.conv == origin.conv
        and (told or event.text == origin.text)
        and (not origin.about or event.about == origin.about)
    )


# -- in order -------------------------------------------------------------------------------------


def seq_rises(history: History) -> Iterator[str]:
    """On a line, `seq` strictly rises from the position on."""
    for record, event_seq, position in arrivals(history):
        if position is not None and event_seq <= position:
            yield f"line {record.line} of {record.user} at {position} got seq {event_seq} again"


def no_hole(history: History) -> Iterator[str]:
    """I3, I7: no `seq` is skipped, on a line and in a timeline, unless `trimmed_before` says so."""
    for record, event_seq, position in arrivals(history):
        if position is not None and event_seq > position + 1:
            yield f"line {record.line} of {record.user} at {position} got seq {event_seq}"
    for final in _of(history, Final):
        seqs = [event.seq for event in final.events]
        wanted = list(range(final.trimmed_before, final.trimmed_before + len(seqs)))
        if seqs != wanted:
            yield f"timeline of {final.user}/{final.device}: {_first_difference(seqs, wanted)}"
    yield from _holes_in_conversations(history)


def _holes_in_conversations(history: History) -> Iterator[str]:
    numbers: dict[str, set[int]] = defaultdict(set)
    for final in _of(history, Final):
        if final.trimmed_before == 1:
            for event in final.events:
                numbers[event.conv].add(event.n)
    for conv, have in numbers.items():
        if not members(conv):
            # Of a channel timelines hold a part; `conversations` has a rule for logs.
            continue
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
    blocked = {f"direct:{','.join(sorted((b.user, b.other)))}" for b in _of(history, Block)}
    place = final_places(history)
    last: dict[tuple[str, str, str], int] = {}
    begun: set[tuple[str, str]] = set()
    for invoke in _of(history, Invoke):
        name = (invoke.user, invoke.key)
        n = place.get(name)
        if name in begun or name in refused or n is None:
            continue
        if not members(invoke.conv) or invoke.conv in blocked:
            # There a command may be refused unheard, and be in order when it comes again.
            continue
        begun.add(name)
        lane = (invoke.user, invoke.device, invoke.conv)
        if n <= last.get(lane, 0):
            yield f"{invoke} became n={n} behind {last[lane]}"
        last[lane] = max(n, last.get(lane, 0))
    yield from _answers_out_of_order(history)


def real_time_order(history: History) -> Iterator[str]:
    """What was sent after another message had been answered stands behind it."""
    place = final_places(history)
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
        if record.user not in (members(event.conv) or (record.user,)):
            yield f"{record.user} received {event}"


SAID = (Answer, Connected, GroupTold, Page, Push)
"""What a node says: when it stands still, for want of a processor or a disk, none of it comes."""


def cursors_keep(history: History) -> Iterator[str]:
    """I6: a stored cursor is what was acknowledged: never more, and back only by `connect.cursor`.

    The end of a line or a kill may cost the acks of the last moments in which the node said
    anything to anybody (what stands still writes nothing), a power cut all that came after the
    last `connect` that set the cursor (or made the device), which is durable before its
    `connected`.
    """
    devices: dict[tuple[str, str], Cursor] = defaultdict(Cursor)
    heard = 0
    for record in history:
        if isinstance(record, SAID):
            heard = record.at
        if isinstance(record, Crash):
            for cursor in devices.values():
                cursor.crash(record, heard)
        elif isinstance(record, Connect):
            devices[record.user, record.device].asked(record)
        elif isinstance(record, Connected):
            yield from devices[record.user, record.device].connected(record)
        elif isinstance(record, (Ack, Sync)):
            devices[record.user, record.device].acked(record)
        elif isinstance(record, LineEnded):
            devices[record.user, record.device].settle(heard)
        elif isinstance(record, Silent):
            devices[record.user, record.device].fall_silent(record)


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
    """The node's unread count is the number of others' messages above the mark, not recalled."""
    finals: dict[str, dict[tuple[str, int], Event]] = defaultdict(dict)
    for record in history:
        if isinstance(record, (Final, HistoryRead)):
            finals[record.user].update({(e.conv, e.n): e for e in record.events})
    for told in _of(history, Unread):
        if told.head:
            continue
        mine = [
            n
            for (conv, n), event in finals[told.user].items()
            if conv == told.conv and n > told.read and event.sender != told.user
            if event.type == "message" and not event.recalled
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
    settled = {(r.user, r.key) for r in history if isinstance(r, (Answer, Refusal, GroupTold))}
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


Name = tuple[str, str, str]
"""What makes an event one: sender, key, type (a change of a group may make two under its key)."""


def name_of(event: Event) -> Name:
    return event.sender, event.key, event.type


def same(before: Event, now: Event) -> bool:
    """Whether an event is still what it was. A recall may take its words away, nothing else."""
    gone = now.recalled and not before.recalled
    return (before.text == now.text or gone) and (
        (before.seq, before.conv, before.n, name_of(before))
        == (now.seq, now.conv, now.n, name_of(now))
        and (before.about == now.about or gone)
    )


def members(conv: str) -> tuple[str, ...]:
    """Return the members of a direct conversation, by its name; of others it does not tell."""
    kind, _, names = conv.partition(":")
    return tuple(names.split(",")) if kind == "direct" else ()


def final_places(history: History) -> dict[tuple[str, str], int]:
    """By sender and key: the `n` of what came of it, as timelines and histories say in the end."""
    places: dict[tuple[str, str], int] = {}
    for record in history:
        if isinstance(record, Final) or (isinstance(record, HistoryRead) and record.final):
            for event in record.events:
                places.setdefault((event.sender, event.key), event.n)
    return places


def _of(history: History, kind: type[R]) -> Iterator[R]:
    return (record for record in history if isinstance(record, kind))


def _events_of(record: Record) -> tuple[Event, ...]:
    if isinstance(record, Push):
        return (record.event,)
    return record.events if isinstance(record, (Page, Final, HistoryRead)) else ()


def _seen(history: History) -> Iterator[tuple[Record, Event]]:
    return ((record, event) for record in history for event in _events_of(record))


def _observations(history: History) -> Iterator[tuple[str, Name, str, int, int]]:
    """Whatever tells a place: (observer, name, conv, n, seq of the observer)."""
    for record in history:
        if isinstance(record, Answer):
            name = (record.user, record.key, record.type)
            yield record.user, name, record.conv, record.n, record.seq
        for event in _events_of(record):
            yield record.user, name_of(event), event.conv, event.n, event.seq


def _final_events(history: History) -> dict[str, dict[Name, Event]]:
    return {
        final.user: {name_of(event): event for event in final.events}
        for final in _of(history, Final)
    }


def _first_difference(have: list[int], wanted: list[int]) -> str:
    for one, other in zip(have, wanted, strict=True):
        if one != other:
            return f"seq {one} where {other} belongs"
    return "equal"


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
