"""The Python client's framing against the Autobahn cases."""

from __future__ import annotations

import pytest

from tests.conformance.client import EXPLAINED, run_client_cases


@pytest.mark.timeout(120)
def test_framing_utf8_close_and_control_frames_of_the_client() -> None:
    verdicts = run_client_cases()
    assert len(verdicts) > 240
    failed = {verdict.case for verdict in verdicts if not verdict.passed}
    assert failed == EXPLAINED.keys()
