from __future__ import annotations

import threading

import pytest

from hivewire.media.threads import InThread

pytestmark = pytest.mark.unit


async def test_it_runs_elsewhere_and_comes_back() -> None:
    in_thread = InThread()
    assert await in_thread(threading.current_thread) is not threading.current_thread()
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)
    in_thread.close()
