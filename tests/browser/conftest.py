"""What is there before a page is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.browser.messenger import api
from tests.node import API_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.node import Node


@pytest.fixture
def backend() -> Callable[..., None]:
    """Sends messages from `ben` to `ann`, as an application's backend does."""

    def send(node: Node, texts: Sequence[str]) -> None:
        with httpx.Client(base_url=api(node), headers={"X-API-Key": API_KEY}) as http:
            for place, text in enumerate(texts):
                body = {"from": "ben", "to": "user:ann", "key": f"key-{place:08}", "text": text}
                assert http.post("/api/v1/server/send", json=body).status_code == 200

    return send
