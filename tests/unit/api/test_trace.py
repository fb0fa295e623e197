"""What became of a message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hivewire.api import trace

from .site import Site, story

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit
TRACE = "/api/v1/server/trace"
CONV = "direct:ann,bob"


def test_the_steps_of_a_message_and_how_its_reader_stands(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        await site.says("ann", "user:bob", "hi")
        told = await site.get(None, TRACE, conv=CONV, n=1)
        assert (told["from"], told["device"], told["remembered"]) == ("ann", "phone", True)
        assert [step["step"] for step in told["steps"]] == [
            *("received", "accepted", "written", "synced", "queued")
        ]
        times = [step["at"] for step in told["steps"]]
        assert times == sorted(times)
        assert told["own_devices"] == [], "a call has no device of its own"
        (bob,) = told["recipients"]
        assert (bob["devices"], bob["pushes"]) == ([], [])
        assert (bob["user"], bob["seq"], bob["delivered"], bob["read"]) == ("bob", 1, False, False)

        await site.does("bob", "read", conv=CONV, n=1)
        (bob,) = (await site.get(None, TRACE, conv=CONV, n=1))["recipients"]
        assert (bob["delivered"], bob["read"]) == (True, True)
        assert bob["read_at"] >= times[-1]

    story(tmp_path, tell)


def test_what_is_forgotten_is_told_from_the_store(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        await site.says("ann", "user:bob", "hi")
        site.node.context.trace = type(site.node.trace)()
        told = await site.get(None, TRACE, conv=CONV, n=1)
        assert (told["remembered"], told["steps"], told["device"]) == (False, [], None)
        assert told["recipients"][0]["user"] == "bob"

    story(tmp_path, tell)


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        await site.says("ann", "user:bob", "hi")
        for conv, n, field in (("direct:x,y", 1, "conv"), (CONV, 2, "n")):
            query = {"conv": conv, "n": n}
            error = await site.refused(None, "GET", TRACE, 404, params=query)
            assert error["field"] == field
        await site.refused("ann", "GET", TRACE, 401, params={"conv": CONV, "n": 1})

    story(tmp_path, tell)


def test_the_same_for_who_may_use_the_control_socket(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        await site.says("ann", "user:bob", "hi")
        context = site.node.context
        found, text = await trace.told(context, f"{CONV} 1")
        assert found
        answer = json.loads(text)
        assert answer == await site.get(None, TRACE, conv=CONV, n=1)
        assert await trace.told(context, f"{CONV} 2") == (False, "the conversation ends at 1")
        for asked in (
            "",
            CONV,
            f"{CONV} 0",
            f"{CONV} x",
            "nobody 1",
            f"{CONV} 1 2",
            f"{CONV} {2**70}",
        ):
            found, text = await trace.told(context, asked)
            assert (found, repr(asked) in text) == (False, True)

    story(tmp_path, tell)
