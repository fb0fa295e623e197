"""Notices: in order in each lane, lanes beside each other, never more than there is room for."""

from __future__ import annotations

import asyncio
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from hivewire.hooks.feed import Feed
from hivewire.hooks.runner import Runner
from hivewire.metrics import Metrics
from tests.unit.client.virtual import run


class Bench:
    """A feed whose notices take as long as they say."""

    def __init__(self, *, bound: int = 100, workers: int = 2, timeout_ms: int = 60_000) -> None:
        loop = asyncio.get_running_loop()
        self.runner = Runner(loop, Metrics(), timeout_ms=timeout_ms, bound=workers)
        self.dropped: list[str] = []
        self.feed = Feed(self.runner, bound=bound, workers=workers, dropped=self._drop)
        self.told: list[str] = []
        self.at_once = 0
        self.most_at_once = 0

    def put(self, lane: str, *words: str, seconds: float = 1.0) -> None:
        self.feed.put(lane, [(word, partial(self._tell, word, seconds)) for word in words])

    def _drop(self, name: str, _about: object) -> None:
        self.dropped.append(name)

    async def _tell(self, word: str, seconds: float) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.at_once -= 1
        self.told.append(word)


def test_a_lane_is_told_in_order() -> None:
    async def story() -> None:
        bench = Bench()
        bench.put("a", "1", "2")
        bench.put("a", "3", seconds=0.0)
        await asyncio.sleep(1.5)
        assert bench.told == ["1"]
        assert not bench.feed.is_idle
        await asyncio.sleep(5)
        assert bench.told == ["1", "2", "3"]
        assert bench.feed.is_idle

    run(story())


def test_a_slow_lane_does_not_hold_up_another() -> None:
    async def story() -> None:
        bench = Bench()
        bench.put("slow", "s", seconds=50)
        bench.put("quick", "1", "2", "3", seconds=0.1)
        await asyncio.sleep(1)
        assert bench.told == ["1", "2", "3"]

    run(story())


def test_lanes_take_turns() -> None:
    async def story() -> None:
        bench = Bench(workers=1)
        bench.put("a", "a1", "a2", "a3")
        bench.put("b", "b1", "b2")
        await asyncio.sleep(10)
        assert bench.told == ["a1", "b1", "a2", "b2", "a3"]

    run(story())


def test_I8_what_finds_no_room_is_dropped_and_named() -> None:
    async def story() -> None:
        bench = Bench(bound=2, workers=1)
        bench.put("a", "1")
        bench.put("a", "2", "3", "4", "5")
        assert bench.dropped == ["4", "5"]
        assert bench.feed.waiting == 2
        bench.put("b", "6")
        assert bench.dropped == ["4", "5", "6"]
        await asyncio.sleep(10)
        assert bench.told == ["1", "2", "3"]
        bench.put("b", "7")
        await asyncio.sleep(10)
        assert bench.told == ["1", "2", "3", "7"]

    run(story())


def test_a_notice_that_fails_or_hangs_is_followed_by_the_next() -> None:
    async def story() -> None:
        bench = Bench(workers=1, timeout_ms=2_000)

        async def fails() -> None:
            raise ValueError("a bug")

        bench.put("a", "hangs", seconds=100)
        bench.feed.put("a", [("fails", fails)])
        bench.put("a", "good", seconds=0)
        await asyncio.sleep(3)
        assert bench.told == ["good"]
        assert bench.feed.is_idle

    run(story())


puts = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.integers(1, 3),
        st.floats(0, 3, allow_nan=False),
        st.floats(0, 2, allow_nan=False),
    ),
    max_size=12,
)


@given(puts, st.integers(1, 3))
def test_each_is_told_once_in_its_order_by_so_many_workers_at_most(made, workers) -> None:
    async def story() -> None:
        bench = Bench(workers=workers)
        put: dict[str, list[str]] = {"a": [], "b": [], "c": []}
        for at, (lane, count, seconds, pause) in enumerate(made):
            words = [f"{lane}{at}.{number}" for number in range(count)]
            put[lane] += words
            bench.put(lane, *words, seconds=seconds)
            await asyncio.sleep(pause)
        await asyncio.sleep(1_000)
        assert bench.feed.is_idle
        assert bench.dropped == []
        assert bench.most_at_once <= workers
        for lane, words in put.items():
            assert [word for word in bench.told if word[0] == lane] == words

    run(story())
