from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hivewire.push.outlook import HERE_MS, QUEUED, Situation, look
from hivewire.store import keys, pushes
from hivewire.store.pushes import CLEAR, MESSAGE, Push
from tests.unit.push.node import webhook, webpush

if TYPE_CHECKING:
    from hivewire.push.outlook import Outlook

pytestmark = pytest.mark.unit
CONV = "direct:ann,bob"
NOW = 1_000_000
DEVICES = {"phone": webhook(), "web": webpush()}
Row = tuple[bytes, bytes]


def held(seq: int, ts: int = NOW - 5000) -> Row:
    message = keys.prefix(CONV) + keys.position(seq)
    return pushes.held_key("bob", seq), pushes.held_value(ts, message)


def push(seq: int, device: str = "phone", **fields: Any) -> Row:
    whole = {"what": MESSAGE, "attempts": 0, "due": 0, "ts": NOW - 5000, "conv": CONV, "n": seq}
    return pushes.push_key("bob", seq, device), pushes.push_value(Push(**whole | fields))


def situation(**fields: Any) -> Situation:
    read = fields.pop("read", 0)
    whole: dict[str, Any] = {
        "now": NOW,
        "hold": 3000,
        "not_before": 0,
        "expires": 60_000,
        "head": 100,
        "acked": 0,
        "read": lambda _conv: read,
        "here": False,
        "registrations": DEVICES,
        "busy": (),
    }
    return Situation(**whole | fields)


def decide(*rows: Row, **fields: Any) -> Outlook:
    return look(sorted(rows), situation(**fields))


def gone(found: Outlook) -> list[bytes]:
    return [] if found.entry is None else list(found.entry.gone)


def test_a_held_message_turns_into_a_push_for_each_device() -> None:
    found = decide(held(1))
    assert found.entry is not None
    assert gone(found) == [held(1)[0]]
    keys_ = [pushes.split_outbox_key(key) for key, _ in found.entry.rows]
    assert [(key.seq, key.device) for key in keys_] == [(1, "phone"), (1, "web")]
    assert found.jobs == []


@pytest.mark.parametrize(
    ("fields", "again"),
    [
        ({"hold": 6000}, NOW + 1000),
        ({"not_before": NOW + 10}, NOW + 10),
        ({"here": True}, NOW + HERE_MS),
    ],
)
def test_it_waits(fields: dict[str, Any], again: int) -> None:
    assert decide(held(1), **fields) == (None, [], again, [])


@pytest.mark.parametrize("fields", [{"acked": 1}, {"read": 1}, {"expires": 5000}])
@pytest.mark.parametrize("row", [held(1), push(1)])
def test_it_is_needless(row: Row, fields: dict[str, Any]) -> None:
    found = decide(row, **fields)
    assert gone(found) == [row[0]]
    assert found.entry is not None
    assert found.entry.rows == ()
    assert found.jobs == []


def test_a_push_that_was_tried_and_expires_is_a_dead_letter() -> None:
    found = decide(push(1, attempts=2), expires=5000)
    assert found.entry is not None
    ((key, value),) = found.entry.rows
    assert pushes.split_outbox_key(key).kind == "dead"
    assert pushes.parse_dead(value).error == "expired"


@pytest.mark.parametrize(
    ("row", "fields", "told"),
    [
        (held(1), {}, [(1, "phone", "due", "webhook"), (1, "web", "due", "webpush")]),
        (held(1), {"acked": 1}, [(1, "", "cancelled", "a device has acknowledged it")]),
        (push(1), {"read": 1}, [(1, "phone", "cancelled", "it was read")]),
        (push(1), {"expires": 5000}, [(1, "phone", "cancelled", "expired")]),
        (push(1, attempts=1), {"expires": 5000}, [(1, "phone", "gave up", "expired")]),
        (push(1, what=CLEAR), {"expires": 5000}, [(1, "phone", "clear cancelled", "expired")]),
        (push(1), {"here": True}, []),
        (push(1), {}, []),
    ],
)
def test_what_was_decided_is_told(
    row: Row, fields: dict[str, Any], told: list[tuple[int, str, str, str]]
) -> None:
    assert decide(row, **fields).told == told


def test_what_is_not_durable_yet_is_left_alone() -> None:
    assert decide(held(1), head=0) == (None, [], None, [])


def test_a_device_that_is_not_registered_gets_nothing() -> None:
    assert gone(decide(push(1, "tv"))) == [push(1, "tv")[0]]
    found = decide(held(1), registrations={})
    assert found.entry is not None
    assert (gone(found), found.entry.rows) == ([held(1)[0]], ())


def test_each_lane_has_one_job_and_its_first() -> None:
    found = decide(push(1), push(2), push(2, "web"), push(3, "web"))
    assert [(job.device, job.seq) for job in found.jobs] == [("phone", 1), ("web", 2)]
    found = decide(push(1, due=NOW + 7), push(2), push(2, "web"))
    assert [(job.device, job.seq) for job in found.jobs] == [("web", 2)]
    assert found.again == NOW + 7
    assert decide(push(1), busy=("",)).jobs == []


def test_a_clear_goes_out_while_the_user_is_here_and_whatever_is_acknowledged() -> None:
    rows = push(1), push(2, what=CLEAR)
    found = decide(*rows, here=True)
    assert [job.seq for job in found.jobs] == [2]
    found = decide(rows[1], acked=9, read=9)
    assert [job.seq for job in found.jobs] == [2]
    assert found.entry is None


def test_i8_more_than_may_wait_for_a_device_are_dead_letters() -> None:
    waiting = [push(seq, due=NOW + 9) for seq in range(1, QUEUED + 1)]
    found = decide(*waiting, held(QUEUED + 1), head=1000)
    assert found.entry is not None
    made = [pushes.split_outbox_key(key) for key, _ in found.entry.rows]
    assert [(key.kind, key.device) for key in made] == [("dead", "phone"), ("push", "web")]


def test_a_row_that_is_none_is_an_error() -> None:
    with pytest.raises(keys.RowError):
        decide((keys.prefix("bob") + b"zzz", b""))


rows = st.dictionaries(
    st.tuples(st.integers(1, 5), st.sampled_from(["phone", "web", "tablet"])),
    st.tuples(st.sampled_from([MESSAGE, CLEAR]), st.integers(NOW - 2, NOW + 2), st.integers(0, 2)),
)


@given(rows, st.integers(0, 5), st.booleans(), st.sets(st.sampled_from(["", "web"])))
def test_nothing_overtakes_and_nothing_is_forgotten(
    chosen: dict[tuple[int, str], tuple[int, int, int]], acked: int, here: bool, busy: set[str]
) -> None:
    made = [
        push(seq, device, what=what, due=due, attempts=attempts)
        for (seq, device), (what, due, attempts) in chosen.items()
    ]
    devices = DEVICES | {"tablet": webhook("x")}
    found = decide(*made, acked=acked, here=here, busy=busy, registrations=devices)
    left = [key for key, _ in sorted(made) if key not in gone(found)]
    lanes = [job.lane for job in found.jobs]
    assert len(set(lanes)) == len(lanes)
    assert not busy & set(lanes)
    for job in found.jobs:
        assert job.push.due <= NOW
        before = [key for key in left if key < job.key]
        for key in map(pushes.split_outbox_key, before):
            other = "" if devices[key.device].kind == "webhook" else key.device
            # Only a message that waits because its user is here is passed by.
            assert other != job.lane or (here and chosen[key.seq, key.device][0] == MESSAGE)
    if left and not busy and not here:
        assert found.jobs or found.again is not None
