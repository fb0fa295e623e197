"""`rtm.send` and `rtm.receive`."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest

from .site import Site, story

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit
SEND = "/api/v1/rtm.send"
RECEIVE = "/api/v1/rtm.receive"


async def sends(site: Site, source: str, target: str, text: str, **more: Any) -> dict[str, Any]:
    return await site.post(source, SEND, sourceID=source, targetID=target, text=text, **more)


async def receives(site: Site, source: str, target: str, **more: Any) -> dict[str, Any]:
    return await site.get(source, RECEIVE, sourceID=source, targetID=target, **more)


def texts(received: dict[str, Any]) -> list[str]:
    return [one["text"] for one in received["messages"]]


def test_i1_what_is_answered_is_durable_and_received_in_order(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        sent = await sends(site, "ann", "bob", "one")
        assert sent == {
            "sequenceID": "direct:ann,bob:1",
            "n": 1,
            "seq": 1,
            "ts": sent["ts"],
            "dup": False,
        }
        assert site.node.view.user("bob").durable == 1
        await sends(site, "bob", "ann", "two")
        received = await receives(site, "bob", "ann")
        assert received["messages"][0] == {
            "sequenceID": "direct:ann,bob:1",
            "text": "one",
            "mediaURL": None,
            "from": "ann",
            "ts": sent["ts"],
        }
        assert texts(received) == ["one", "two"]

    story(tmp_path, tell)


def test_i4_a_resend_under_the_same_key_is_the_same_message(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        first = await sends(site, "ann", "bob", "hi", key="01J-KEY-1")
        assert await sends(site, "ann", "bob", "hi", key="01J-KEY-1") == first | {"dup": True}
        other = {"sourceID": "ann", "targetID": "bob", "text": "ho", "key": "01J-KEY-1"}
        assert (await site.refused("ann", "POST", SEND, 409, json=other))["field"] == "key"

    story(tmp_path, tell)


def test_last_pos_goes_on_where_the_answer_before_ended(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        for text in "abcde":
            await sends(site, "ann", "bob", text)
        last, seen = None, list[str]()
        while True:
            more = {} if last is None else {"lastPos": last}
            received = await receives(site, "bob", "ann", limit=2, **more)
            last = received["lastPos"]
            if not received["messages"]:
                break
            assert len(received["messages"]) <= 2
            seen += texts(received)
        assert seen == [*"abcde"]
        assert (await receives(site, "bob", "ann", lastPos=last))["lastPos"] == last

    story(tmp_path, tell)


def test_only_messages_are_shown_as_they_are_now(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        for text in "ab":
            await sends(site, "ann", "bob", text)
        place = {"conv": "direct:ann,bob"}
        await site.does("ann", "recall", **place, n=1, key="recall-1")
        await site.does("ann", "edit", **place, n=2, key="edit-two", text="B")
        received = await receives(site, "bob", "ann")
        assert texts(received) == ["B"]
        # What is no message is not looked at again.
        assert received["lastPos"].startswith("4.")

    story(tmp_path, tell)


def test_groups_and_channels_are_targets_too(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        for kind in ("group", "channel"):
            key = {"key": f"make-{kind}", "members": ["bob"]}
            await site.does("ann", "group.create", kind=kind, group="team", **key)
            sent = await sends(site, "ann", f"{kind}:team", "all")
            assert (sent["n"], sent["sequenceID"]) == (3, f"{kind}:team:3")
            assert (sent["seq"] is None) == (kind == "channel")
            assert texts(await receives(site, "bob", f"{kind}:team")) == ["all"]
            error = await site.refused(
                *("eve", "GET", RECEIVE, 403),
                params={"sourceID": "eve", "targetID": f"{kind}:team"},
            )
            assert error["code"] == "forbidden"

    story(tmp_path, tell)


@pytest.mark.parametrize("target", ["ann", "channel:news"])
def test_a_long_poll_is_answered_when_something_comes(tmp_path: Path, target: str) -> None:
    async def tell(site: Site) -> None:
        make = {"kind": "channel", "group": "news", "key": "make-news", "members": ["bob"]}
        await site.does("ann", "group.create", **make)
        last = (await receives(site, "bob", target))["lastPos"]
        waiting = asyncio.create_task(receives(site, "bob", target, lastPos=last, wait=25))
        while not site.node.polls.open:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)
        # Something of another conversation wakes nobody for good.
        await sends(site, "eve", "bob", "psst")
        await sends(site, "ann", target if target != "ann" else "bob", "at last")
        assert texts(await waiting) == ["at last"]
        assert site.node.polls.open == 0

    story(tmp_path, tell)


def test_a_long_poll_ends_with_what_there_is(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        assert texts(await receives(site, "bob", "ann", wait=25)) == []

    story(tmp_path, tell, api={"poll_time": "100ms"})


WRONG_SENDS: list[tuple[dict[str, str], int, str]] = [
    ({"sourceID": "bob"}, 403, "sourceID"),
    ({"targetID": "no one"}, 400, "targetID"),
    ({"targetID": "direct:ann,bob"}, 400, "targetID"),
    ({"targetID": "group:nowhere"}, 403, "to"),
    ({"text": ""}, 400, "text"),
    ({"text": "x" * 20_000}, 413, "text"),
    ({"key": "short"}, 400, "key"),
    ({"encodedMedia": "AAAA"}, 501, "encodedMedia"),
]
WRONG_RECEIVES: list[tuple[dict[str, Any], int, str]] = [
    ({"sourceID": "bob"}, 403, "sourceID"),
    ({"targetID": "no one"}, 400, "targetID"),
    ({"lastPos": "x"}, 400, "lastPos"),
    ({"lastPos": "7"}, 400, "lastPos"),
    ({"lastPos": "7.another"}, 409, "lastPos"),
    ({"limit": 0}, 400, "limit"),
    ({"wait": "soon"}, 400, "wait"),
]


def test_i9_what_is_wrong_is_told_by_its_field(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        site.node.context.store_media = None
        good = {"sourceID": "ann", "targetID": "bob"}
        for change, status, field in WRONG_SENDS:
            body = good | {"text": "hi"} | change
            error = await site.refused("ann", "POST", SEND, status, json=body)
            assert error["field"] == field, change
        for query, status, field in WRONG_RECEIVES:
            error = await site.refused("ann", "GET", RECEIVE, status, params=good | query)
            assert error["field"] == field, query

    story(tmp_path, tell)


def test_a_file_inside_of_a_message_goes_where_files_go(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        await site.node.media.start()
        body = {"sourceID": "ann", "targetID": "bob"}
        picture = base64.b64encode(b"\x89PNG").decode()
        bad = body | {"encodedMedia": "no base64!"}
        assert (await site.refused("ann", "POST", SEND, 400, json=bad))["field"] == "encodedMedia"
        await site.post("ann", SEND, **body, encodedMedia=picture)
        (message,) = (await receives(site, "bob", "ann"))["messages"]
        assert message["text"] is None
        assert (await site.http.get(message["mediaURL"])).content == b"\x89PNG"

    story(tmp_path, tell)
