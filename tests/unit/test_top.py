"""The figures of `hivewire top`, from two scrapes."""

from __future__ import annotations

import httpx
import pytest
from rich.console import Console

from hivewire.metrics import Metrics
from hivewire.top import Figures, Look, Unreachable, picture, scrape, seconds, size


def looked(before: Metrics, after: Metrics, passed: float = 2.0) -> Look:
    texts = [metrics.render().decode() for metrics in (before, after)]
    return Look(Figures.parse(texts[0], 10.0), Figures.parse(texts[1], 10.0 + passed))


def counted() -> Metrics:
    metrics = Metrics()
    metrics.engine = lambda: {"connections": 7, "received_bytes_total": 4096}
    metrics.commands["send", "ok"] = 30
    metrics.commands["send", "rate_limited"] = 2
    metrics.answer_seconds.observe(0.002, 98)
    metrics.answer_seconds.observe(0.2, 2)
    return metrics


def test_rates_are_what_happened_in_between() -> None:
    look = looked(Metrics(), counted())
    assert look.level("connections") == 7
    assert look.rate("received_bytes_total") == 2048
    assert look.rate("commands_total") == 16
    assert look.commands() == [("send", "ok", 15.0), ("send", "rate_limited", 1.0)]
    assert look.rate("no_such_total") == 0


def test_quantiles_are_bounds_of_buckets() -> None:
    look = looked(Metrics(), counted())
    assert look.quantile("answer_seconds", 0.5) == 0.0025
    assert look.quantile("answer_seconds", 0.99) == 0.25
    same = counted()
    assert looked(same, same).quantile("answer_seconds", 0.5) is None


def test_a_node_that_was_restarted_counts_from_zero() -> None:
    assert looked(counted(), Metrics()).rate("commands_total") == 0


def test_the_screen_says_what_is_wrong() -> None:
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    with console.file:
        console.print(picture(looked(Metrics(), counted()), "http://node"))
        text = console.export_text()
    for words in ("http://node", "open", "7", "rate_limited", "2.5 ms", "250 ms", "2.0 KiB/s"):
        assert words in text


def test_numbers_read_well() -> None:
    assert [size(value) for value in (0, 1536, 3 * 1024**3, 5 * 1024**4)] == [
        *("0 B", "1.5 KiB", "3.0 GiB", "5.0 TiB")
    ]
    assert [seconds(value) for value in (None, 0.00025, 2.5, float("inf"))] == [
        *("-", "0.25 ms", "2.5 s", "> 10 s")
    ]


def test_a_node_that_is_not_there() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(503, request=request)

    with (
        httpx.Client(base_url="http://node", transport=httpx.MockTransport(answer)) as client,
        pytest.raises(Unreachable, match="503"),
    ):
        scrape(client)
