"""The client against a scripted server: reconnects, holes, refusals, the end."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from hivewire.client import (
    Adaptive,
    ChannelHead,
    Client,
    Closed,
    CommandFailed,
    Line,
    Presence,
    PresenceChange,
    Push,
    Recent,
    Store,
    Typing,
)
from tests.unit.client.peer import listening

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


async def take(client: Client, count: int) -> list[int]:
    async def next_seq() -> int:
        return (await anext(client)).seq

    return [await asyncio.wait_for(next_seq(), 10) for _ in range(count)]


async def enter(client: Client, peer: Any, **answer: Any) -> tuple[Any, dict[str, Any]]:
    opening = asyncio.create_task(client.__aenter__())
    line = await peer.line()
    command = await line.connected(**answer)
    await opening
    return line, command


def test_connect_tells_token_device_and_first_page() -> None:
    async def story() -> None:
        async with listening() as peer:
            client = Client(peer.url, "token-1", device="phone")
            _, command = await enter(client, peer)
            assert command == {
                "op": "connect",
                "id": 1,
                "token": "token-1",
                "device": "phone",
                "sync": 100,
            }
            assert (client.user, client.epoch, client.is_online) == ("a", "e1", True)
            await client.close()

    asyncio.run(story())


def test_events_right_behind_connected_are_not_lost() -> None:
    async def story() -> None:
        async with listening() as peer:
            client = Client(peer.url, "t")
            opening = asyncio.create_task(client.__aenter__())
            line = await peer.line()
            await line.connected()
            for seq in (1, 2, 3):
                line.event(seq)
            await opening
            assert await take(client, 3) == [1, 2, 3]
            await client.close()

    asyncio.run(story())


def test_consumed_events_are_acknowledged_in_batches_and_at_the_end() -> None:
    async def story() -> None:
        async with listening() as peer:
            client = Client(peer.url, "t")
            line, _ = await enter(client, peer)
            for seq in range(1, 21):
                line.event(seq)
            await take(client, 20)
            assert (await line.receive("ack"))["seq"] == 16
            await client.close()
            assert (await line.receive("ack"))["seq"] == 19, "20 is in the application's hands"
            assert await line.closed_with == 1000

    asyncio.run(story())


def test_a_cut_line_comes_back_with_ticket_and_cursor_and_sends_again() -> None:
    async def story() -> None:
        async with listening() as peer:
            lines: list[Line] = []
            client = Client(peer.url, "t", on_line=lines.append)
            line, _ = await enter(client, peer)
            line.event(1)
            line.event(2)
            await take(client, 2)
            sending = asyncio.create_task(client.send("user:b", text="hi"))
            first = await line.receive("send")
            line.transport.disconnect()
            again = await peer.line()
            command = await again.connected(cursor=1, head=3)
            assert (command["ticket"], command["cursor"]) == ("ticket-1", 1)
            assert "token" not in command
            resent = await again.receive("send")
            assert resent["key"] == first["key"]
            again.sent(resent, 3, dup=True)
            assert (await sending).dup
            assert lines == [Line.ONLINE, Line.OFFLINE, Line.ONLINE]
            await client.close()

    asyncio.run(story())


def test_a_refused_ticket_is_followed_by_the_token() -> None:
    async def story() -> None:
        async with listening() as peer:
            client = Client(peer.url, "t")
            line, _ = await enter(client, peer)
            line.send("bye", code=4000, reason="", reconnect=True, delay_ms=0)
            line.close(4000)
            again = await peer.line()
            assert (await again.receive("connect"))["ticket"] == "ticket-1"
            again.close(4002)
            last = await peer.line()
            assert (await last.connected())["token"] == "t"
            await client.close()

    asyncio.run(story())


def test_bye_gives_the_slot_to_come_back_in() -> None:
    async def story() -> None:
        async with listening() as peer:
            client = Client(peer.url, "t")
            line, _ = await enter(client, peer)
            begin = asyncio.get_running_loop().time()
            line.send("bye", code=4000, reason="drain", reconnect=True, delay_ms=200)
            line.close(4000)
            await (await peer.line()).connected()
            assert asyncio.get_running_loop().time() - begin >= 0.2
            await client.close()

    asyncio.run(story())


@pytest.mark.parametrize("code", [1000, 1002, 4500, 4505])
def test_who_may_not_come_back_ends(code: int) -> None:
    async def story() -> None:
        async with listening() as peer:
            client = Client(peer.url, "t")
            line, _ = await enter(client, peer)
            sending = asyncio.create_task(client.send("user:b", text="hi"))
            await line.receive("send")
            line.close(code, "no")
            with pytest.raises(Closed, match=str(code)):
                await sending
            with pytest.raises(Closed, match=str(code)):
                await anext(client)
            with pytest.raises(Closed, match=str(code)):
                await client.send("user:b", text="again")
            assert not client.is_online
            await client.close()

    asyncio.run(story())


def test_a_bad_token_is_told_at_the_start() -> None:
    async def story() -> None:
        async with listening() as peer:
            opening = asyncio.create_task(Client(peer.url, "t").__aenter__())
            line = await peer.line()
            await line.receive("connect")
            line.close(4500, "unauthorized")
            with pytest.raises(Closed, match="4500: unauthorized"):
                await opening

    asyncio.run(story())


def test_a_connect_that_is_refused_is_told_at_the_start() -> None:
    async def story() -> None:
        async with listening() as peer:
            opening = asyncio.create_task(Client(peer.url, "t").__aenter__())
            line = await peer.line()
            command = await line.receive("connect")
            fields = {"code": "bad_request", "message": "device", "retryable": False}
            line.send("error", id=command["id"], **fields)
            with pytest.raises(CommandFailed, match="bad_request"):
                await opening

    asyncio.run(story())


def test_a_hole_is_synced_when_the_application_has_taken_the_rest() -> None:
    async def story() -> None:
        async with listening() as peer:
            client = Client(peer.url, "t")
            line, _ = await enter(client, peer)
            line.event(1)
            line.event(3)
            taking = asyncio.create_task(take(client, 3))
            command = await line.receive("sync")
            assert command["after"] == 1
            body = {"type": "message", "conv": "c", "from": "b", "ts": 1}
            events = [{"seq": seq, "n": seq, **body} for seq in (2, 3)]
            fields = {"next": 3, "head": 3, "done": True, "trimmed_before": 1}
            line.send("page", id=command["id"], events=events, **fields)
            assert await taking == [1, 2, 3]
            await client.close()

    asyncio.run(story())


def test_a_ping_is_answered_and_its_head_tells_of_a_lost_event() -> None:
    async def story() -> None:
        async with listening() as peer:
            client = Client(peer.url, "t")
            line, _ = await enter(client, peer)
            line.send("ping", head=2)
            await line.receive("pong")
            taking = asyncio.create_task(take(client, 1))
            assert (await line.receive("sync"))["after"] == 0
            taking.cancel()
            await client.close()

    asyncio.run(story())


def test_own_sends_come_in_their_place() -> None:
    async def story() -> None:
        async with listening() as peer:
            client = Client(peer.url, "t")
            line, _ = await enter(client, peer)
            sending = asyncio.create_task(client.send("user:b", text="mine"))
            command = await line.receive("send")
            line.event(1)
            line.sent(command, 2)
            line.event(3)
            assert (await sending).seq == 2
            events = [await anext(client) for _ in range(3)]
            assert [(e.seq, e.sender) for e in events] == [(1, "b"), (2, "a"), (3, "b")]
            assert events[1].key == command["key"]
            await client.close()

    asyncio.run(story())


def test_refresh_replaces_token_and_ticket() -> None:
    async def story() -> None:
        async with listening() as peer:
            client = Client(peer.url, "t")
            line, _ = await enter(client, peer)
            refreshing = asyncio.create_task(client.refresh("t2"))
            command = await line.receive("refresh")
            assert command["token"] == "t2"
            line.send("ok", id=command["id"], token_expires=5, ticket="ticket-2")
            await refreshing
            line.transport.disconnect()
            assert (await (await peer.line()).connected())["ticket"] == "ticket-2"
            await client.close()

    asyncio.run(story())


def test_other_pushes_go_to_who_asked_for_them() -> None:
    async def story() -> None:
        async with listening() as peer:
            called: list[Push] = []
            client = Client(peer.url, "t", on_push=called.append)
            line, _ = await enter(client, peer)
            pushes = client.pushes()
            line.send("typing", conv="c", user="b", state="start")
            line.event(1)
            await take(client, 1)
            await client.close()
            assert called == [Typing("c", "b", "start")]
            assert [push async for push in pushes] == called, "it ends with the client"
            assert [push async for push in client.pushes()] == []

    asyncio.run(story())


def test_a_callback_that_fails_ends_no_line() -> None:
    async def story() -> None:
        async with listening() as peer:
            failures: list[dict[str, Any]] = []
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _loop, context: failures.append(context))

            def fail(_push: Push) -> None:
                raise RuntimeError("mine")

            client = Client(peer.url, "t", on_push=fail)
            line, _ = await enter(client, peer)
            line.send("typing", conv="c", user="b", state="start")
            line.event(1)
            assert await take(client, 1) == [1]
            assert [str(context["exception"]) for context in failures] == ["mine"]
            await client.close()

    asyncio.run(story())


def test_a_new_line_is_told_what_stands_and_tells_how_things_are() -> None:
    async def story() -> None:
        async with listening() as peer:
            client = Client(peer.url, "t")
            line, _ = await enter(client, peer)
            opening = asyncio.create_task(client.open_channel("channel:c"))
            line.send("ok", id=(await line.receive("open"))["id"], head=4)
            assert await opening == 4
            watching = asyncio.create_task(client.watch(["b"]))
            command = await line.receive("watch")
            line.send("presence", id=command["id"], changes=[{"user": "b", "state": "online"}])
            assert await watching == [PresenceChange("b", "online")]
            pushes = client.pushes()
            line.transport.disconnect()
            again = await peer.line()
            await again.connected()
            command = await again.receive("watch")
            assert command["users"] == ["b"]
            again.send("presence", id=command["id"], changes=[{"user": "b", "state": "away"}])
            command = await again.receive("open")
            again.send("ok", id=command["id"], head=9)
            assert await anext(pushes) == Presence([PresenceChange("b", "away")])
            assert await anext(pushes) == ChannelHead("channel:c", 9)
            await client.close()

    asyncio.run(story())


def test_what_stands_and_is_refused_for_now_is_told_again() -> None:
    async def story() -> None:
        async with listening() as peer:
            client = Client(peer.url, "t")
            client.standing.opened("channel:c")
            client.standing.opened("channel:d")
            line, _ = await enter(client, peer)
            late = {"code": "unavailable", "message": "", "retryable": True, "retry_after_ms": 5}
            gone = {"code": "forbidden", "message": "", "retryable": False}
            for conv, answer in (("c", late), ("c", gone), ("d", {"head": 1})):
                command = await line.receive("open")
                assert command["conv"] == f"channel:{conv}"
                line.send("ok" if "head" in answer else "error", id=command["id"], **answer)
            line.event(1)
            await take(client, 1)
            assert client.standing.commands() == [{"op": "open", "conv": "channel:d"}]
            await client.close()

    asyncio.run(story())


def test_recent_conversations_come_with_the_line() -> None:
    async def story() -> None:
        async with listening() as peer:
            client = Client(peer.url, "t", recent=Recent(2, 3))
            item = {"conv": "direct:a,b", "kind": "direct", "head": 4, "read": 2, "unread": 2}
            _, command = await enter(client, peer, recent={"items": [item], "next": None})
            assert command["recent"] == {"conversations": 2, "messages": 3}
            assert [(one.conv, one.unread) for one in client.recent] == [("direct:a,b", 2)]
            await client.close()

    asyncio.run(story())


def test_a_client_that_learns_tells_the_server_what_it_wants() -> None:
    async def story() -> None:
        async with listening() as peer:
            pace = Adaptive()
            client = Client(peer.url, "t", heartbeat=pace)
            driven = {"interval_ms": 25_000, "timeout_ms": 10_000, "from": "client"}
            line, command = await enter(client, peer, heartbeat=driven)
            assert command["heartbeat"] == {"interval_ms": 25_000, "from": "client"}
            pace.wanted = 60.0  # as if the line had been quiet for long
            line.event(1)
            command = await line.receive("heartbeat")
            assert (command["interval_ms"], command["from"]) == (60_000, "client")
            line.send("heartbeat", id=command["id"], **(driven | {"interval_ms": 50_000}))
            client.use_network("train")
            await line.receive("ping")
            assert pace.network == "train"
            await client.close()

    asyncio.run(story())


def test_a_heartbeat_of_the_applications_own_holds_on_later_lines() -> None:
    async def story() -> None:
        async with listening() as peer:
            client = Client(peer.url, "t")
            line, command = await enter(client, peer)
            assert "heartbeat" not in command
            asking = asyncio.create_task(client.heartbeat(60_000))
            command = await line.receive("heartbeat")
            assert (command["interval_ms"], command["from"]) == (60_000, "server")
            granted = {"interval_ms": 60_000, "timeout_ms": 10_000, "from": "server"}
            line.send("heartbeat", id=command["id"], **granted)
            assert (await asking).interval_ms == 60_000
            line.transport.disconnect()
            command = await (await peer.line()).connected(heartbeat=granted)
            assert command["heartbeat"] == {"interval_ms": 60_000, "from": "server"}
            await client.close()

    asyncio.run(story())


def test_a_token_may_be_fetched_whenever_a_new_one_is_wanted() -> None:
    async def story() -> None:
        async with listening() as peer:
            tokens = iter(("t1", "t2"))

            async def fetch() -> str:
                try:
                    return next(tokens)
                except StopIteration:
                    raise LookupError("logged out") from None

            client = Client(peer.url, fetch)
            line, command = await enter(client, peer)
            assert command["token"] == "t1"
            line.close(4002, "the token has expired")
            line = await peer.line()
            assert (await line.connected())["token"] == "t2"
            line.close(4002, "the token has expired")
            with pytest.raises(LookupError, match="logged out"):
                await asyncio.wait_for(anext(client), 10)
            await client.close()

    asyncio.run(story())


def test_a_token_refreshed_without_a_line_opens_the_next_one() -> None:
    async def story() -> None:
        async with listening() as peer:
            lost = asyncio.Event()
            client = Client(peer.url, "t", on_line=lambda at: at is Line.OFFLINE and lost.set())
            line, _ = await enter(client, peer)
            line.send("bye", code=4000, reason="", reconnect=True, delay_ms=50)
            line.close(4000)
            await lost.wait()
            await client.refresh("t2")
            command = await (await peer.line()).connected()
            assert (command.get("token"), command.get("ticket")) == ("t2", None)
            await client.close()

    asyncio.run(story())


def test_typing_while_offline_is_dropped() -> None:
    async def story() -> None:
        async with listening() as peer:
            client = Client(peer.url, "t")
            client.typing("direct:a,b")
            line, _ = await enter(client, peer)
            client.typing("direct:a,b", "stop")
            assert await line.receive("typing") == {
                "op": "typing",
                "conv": "direct:a,b",
                "state": "stop",
            }
            await client.close()

    asyncio.run(story())


def test_closing_while_offline_ends_everything() -> None:
    async def story() -> None:
        async with listening() as peer:
            client = Client(peer.url, "t")
            line, _ = await enter(client, peer)
            line.send("bye", code=4000, reason="", reconnect=True, delay_ms=60_000)
            line.close(4000)
            sending = asyncio.create_task(client.send("user:b", text="hi"))
            await line.receive("send")
            await client.close()
            with pytest.raises(Closed):
                await sending

    asyncio.run(story())


def test_a_store_has_the_place_and_the_sends_over_a_restart(tmp_path: Path) -> None:
    async def story() -> None:
        async with listening() as peer:
            with Store(tmp_path / "store") as store:
                client = Client(peer.url, "t", store=store)
                line, _ = await enter(client, peer)
                line.event(1)
                line.event(2)
                await take(client, 2)
                sending = asyncio.create_task(client.send("user:b", text="hi", key="k-1-2-3-4"))
                await line.receive("send")
                await client.close()
                with pytest.raises(Closed):
                    await sending
            with Store(tmp_path / "store") as store:
                statuses: list[str] = []
                client = Client(
                    peer.url,
                    "t",
                    store=store,
                    begin_offline=True,
                    on_status=lambda status: statuses.append(status.state),
                )
                await client.__aenter__()
                assert [status.key for status in client.pending] == ["k-1-2-3-4"]
                again = await peer.line()
                command = await again.connected(cursor=1, head=1)
                assert (command["cursor"], command["epoch"]) == (1, "e1")
                resent = await again.receive("send")
                again.sent(resent, 2)
                assert await take(client, 1) == [2]
                assert (client.pending, statuses) == ([], ["sent"])
                await client.close()

    asyncio.run(story())


def test_a_token_that_ends_soon_is_refreshed(tmp_path: Path) -> None:
    async def story() -> None:
        async with listening() as peer:
            given = iter(("token-1", "token-2"))

            async def fetch() -> str:
                return next(given)

            client = Client(peer.url, fetch)
            now = time.time() * 1000
            line, _ = await enter(client, peer, token_expires=round(now), server_time=now)
            refresh = await line.receive("refresh")
            assert refresh["token"] == "token-2"
            line.send("ok", id=refresh["id"], token_expires=round(now + 9e6), ticket="ticket-2")
            await client.close()

    asyncio.run(story())


def test_marks_that_came_while_offline_are_asked_for() -> None:
    async def story() -> None:
        async with listening() as peer:
            statuses: list[str] = []
            client = Client(peer.url, "t", on_status=lambda status: statuses.append(status.state))
            line, _ = await enter(client, peer)
            sending = asyncio.create_task(client.send("user:b", text="hi"))
            line.sent(await line.receive("send"), 1)
            await sending
            line.send("receipt", conv="direct:a,b", user="b", delivered=1, read=0)
            line.transport.disconnect()
            again = await peer.line()
            await again.connected(head=1, cursor=1)
            asked = await again.receive("conversations")
            body = {"conv": "direct:a,b", "kind": "direct", "head": 1, "read": 1, "unread": 0}
            marks = {"b": {"delivered": 1, "read": 1}}
            again.send("conversations", id=asked["id"], items=[body | {"peers": marks}], next=None)
            again.event(2)
            await take(client, 2)
            assert statuses == ["sending", "sent", "delivered", "read"]
            await client.close()

    asyncio.run(story())
