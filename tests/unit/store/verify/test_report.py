from __future__ import annotations

from hivewire.store.verify.report import REPORTED_PROBLEMS, Channel, Report


def test_I8_problems_told_are_bounded_and_all_are_counted() -> None:
    report = Report()
    assert report.ok
    for number in range(REPORTED_PROBLEMS + 5):
        report.add("seq", "ann", str(number))
    assert (len(report.problems), report.problem_count) == (
        REPORTED_PROBLEMS,
        REPORTED_PROBLEMS + 5,
    )
    assert not report.ok


def test_a_channel_has_said_what_it_is_when_it_was_made() -> None:
    assert (Channel(7).since, Channel(7).said) == (7, 7)
