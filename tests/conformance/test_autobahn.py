"""The part of the Autobahn cases that every CI run affords; `make conformance` runs all."""

from __future__ import annotations

import pytest

from tests.conformance.run import LIMITS, RAISED, echo, run_cases

QUICK = [f"{group}.*" for group in (1, 2, 3, 4, 5, 6, 7, 10)]
COMPRESSED = [
    "12.1.1",
    "12.1.10",
    "12.2.5",
    "12.3.3",
    "12.4.7",
    "12.5.9",
    *(f"13.{n}.1" for n in range(1, 8)),
]


@pytest.mark.timeout(240)
def test_framing_utf8_close_and_control_frames() -> None:
    with echo(LIMITS) as address:
        verdicts = run_cases(address, QUICK)
    assert len(verdicts) > 240
    assert [verdict for verdict in verdicts if not verdict.passed] == []


@pytest.mark.timeout(240)
def test_a_part_of_compression() -> None:
    with echo(RAISED) as address:
        verdicts = run_cases(address, COMPRESSED)
    assert len(verdicts) == len(COMPRESSED)
    assert [verdict for verdict in verdicts if not verdict.passed] == []
