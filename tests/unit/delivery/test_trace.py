from __future__ import annotations

import time

from hivewire.core.entries import CursorEntry, DeviceEntry, ForgetEntry, MarkEntry, SendEntry
from hivewire.delivery.owed import Owed
from hivewire.delivery.trace import Trace
from hivewire.store.journal import Commit

CONV = "direct:ann,bob"


def message(n: int) -> SendEntry:
    members = (("ann", n), ("bob", n + 10))
    return SendEntry("ann", "web", CONV, f"key-{n}", b"", n, 1000 + n, n, members, text="hi")


def shown(
    trace: Trace, *entries: SendEntry | MarkEntry | CursorEntry | DeviceEntry | ForgetEntry
) -> None:
    """A group with these is synced and shown."""
    owed = Owed()
    owed.arrived.append((time.monotonic_ns() - 10_000_000, 1, 0))
    for entry in entries:
        if isinstance(entry, SendEntry):
            owed.entries.append(entry)
            owed.events += len(entry.members)
        elif isinstance(entry, MarkEntry):
            owed.marks.append(entry)
        else:
            owed.cursors.append(entry)
    trace.committed(Commit(len(entries), len(entries), 0.001, 0.002, time.monotonic_ns()))
    owed.number, owed.submitted_ns = 7, time.monotonic_ns()
    trace.released(owed)


def test_a_message_is_found_with_the_times_of_its_group_in_order() -> None:
    trace = Trace()
    shown(trace, message(1), message(2))
    found = trace.find(CONV, 2)
    assert found is not None
    assert (found.message.user, found.message.device) == ("ann", "web")
    record = found.record
    times = [record.received, record.begun, record.written, record.synced, record.queued]
    assert times == sorted(times)
    assert abs(record.synced - record.begun - 3) < 0.01
    assert trace.find(CONV, 3) is None
    assert trace.find("direct:ann,cat", 2) is None


def test_marks_and_cursors_past_a_message_are_told_from_the_first_that_was() -> None:
    trace = Trace()
    shown(trace, message(5))
    shown(trace, CursorEntry("bob", "phone", 14, 0, 0), MarkEntry("bob", CONV, 4, 4))
    found = trace.find(CONV, 5)
    assert found is not None
    assert (found.delivered, found.read, found.acked) == ({}, {}, {})
    shown(trace, CursorEntry("bob", "phone", 15, 0, 0), MarkEntry("bob", CONV, 5, 4))
    shown(trace, CursorEntry("bob", "phone", 19, 0, 0), MarkEntry("bob", CONV, 9, 9))
    found = trace.find(CONV, 5)
    assert found is not None
    assert set(found.acked) == {("bob", "phone")}
    assert found.delivered["bob"] == found.acked["bob", "phone"] < found.read["bob"]


def test_a_device_that_begins_behind_a_message_has_not_acknowledged_it() -> None:
    trace = Trace()
    shown(trace, message(5))
    shown(trace, DeviceEntry("bob", "new", 15, 0, 15), DeviceEntry("bob", "phone", 15, 0, 3))
    found = trace.find(CONV, 5)
    assert found is not None
    assert (found.begun, set(found.acked)) == ({("bob", "new")}, {("bob", "phone")})


def test_times_of_the_engine_are_told_by_the_clock_of_the_others() -> None:
    trace = Trace()
    before = time.time_ns() / 1e6
    shown(trace, message(1))
    found = trace.find(CONV, 1)
    assert found is not None
    assert found.record.number == 7
    assert found.record.wall_ms(found.record.submitted_ns) == found.record.queued
    later = found.record.wall_ms(found.record.submitted_ns + 1_500_000) - found.record.queued
    assert abs(later - 1.5) < 0.01
    assert before - 1 <= found.record.queued <= time.time_ns() / 1e6 + 1


def test_another_trace_goes_on_with_what_this_one_remembers() -> None:
    before, after = Trace(), Trace()
    shown(before, message(5))
    shown(before, MarkEntry("bob", CONV, 5, 0), DeviceEntry("bob", "new", 15, 0, 15))
    shown(before, ForgetEntry("bob", "old"))
    rows = before.hand_over()
    # Classes of this version may be gone when they are read.
    assert set(map(type, leaves(rows))) <= {str, int, float, bool}
    after.take_over(rows)
    assert after.find(CONV, 5) == before.find(CONV, 5)
    shown(after, CursorEntry("bob", "phone", 15, 0, 14), MarkEntry("bob", CONV, 5, 5))
    found = after.find(CONV, 5)
    assert found is not None
    assert (set(found.acked), found.begun) == ({("bob", "phone")}, {("bob", "new")})
    assert found.delivered["bob"] < found.read["bob"]
    small = Trace(weight=3)
    small.take_over(after.hand_over())
    assert small.find(CONV, 5) is None, "the bound holds for what is taken over, too"


def leaves(value: object) -> list[object]:
    """What lists and tuples hold, however deep."""
    if not isinstance(value, list | tuple):
        return [value]
    assert type(value) in (list, tuple)
    return [leaf for part in value for leaf in leaves(part)]


def test_i8_what_is_remembered_has_a_bound() -> None:
    trace = Trace(weight=12)
    for n in range(1, 8):
        shown(trace, message(n))
    assert [n for n in range(1, 8) if trace.find(CONV, n)] == [5, 6, 7]
    shown(trace, *(message(n) for n in range(10, 30)))
    assert trace.find(CONV, 29) is not None, "the newest group is kept, however large"
    assert trace.find(CONV, 7) is None
