"""Push and keys, as commands of the protocol."""

from __future__ import annotations

import pytest

from tests.unit.client.verbs.asked import Asked

pytestmark = pytest.mark.unit


async def test_push_and_keys_say_what_they_are_given() -> None:
    asked = Asked(op="ok")
    assert await asked.push_register("webhook", "https://x.example/", secret="s") == {"op": "ok"}
    await asked.push_unregister()
    await asked.keys_put(keys={"identity": "abc"})
    await asked.keys_get("b")
    assert asked.asked == [
        {
            "op": "push.register",
            "kind": "webhook",
            "endpoint": "https://x.example/",
            "secret": "s",
        },
        {"op": "push.unregister"},
        {"op": "keys.put", "keys": {"identity": "abc"}},
        {"op": "keys.get", "user": "b"},
    ]
