"""What is there before a page is opened."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.browser.chromium import shoot_all
from tests.browser.messenger import api
from tests.node import API_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from tests.browser.chromium import Chromium
    from tests.node import Node


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Function) -> Generator[None]:
    """Each page is kept as it looks at the end of its test, whether that was good or bad."""
    try:
        return (yield)
    finally:
        chromium: Chromium | None = item.funcargs.get("chromium")
        if chromium is not None:
            name = item.originalname.removeprefix("test_").replace("_", "-")
            chromium.run(shoot_all(chromium.browser(), name))


@pytest.fixture
def backend() -> Callable[..., None]:
    """Sends messages from `ben` to `ann`, as an application's backend does."""

    places = itertools.count()

    def send(node: Node, texts: Sequence[str]) -> None:
        with httpx.Client(base_url=api(node), headers={"X-API-Key": API_KEY}) as http:
            for place, text in zip(places, texts, strict=False):
                body = {"from": "ben", "to": "user:ann", "key": f"key-{place:08}", "text": text}
                assert http.post("/api/v1/server/send", json=body).status_code == 200

    return send
