"""`hivewire reload`: another application and other settings, and no connection notices."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import hivewire as package
from tests.e2e.stranger import Stranger, key
from tests.e2e.test_command_line import get
from tests.e2e.test_command_line import hivewire as command
from tests.integration.test_overload import deaf_line
from tests.node import Node

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

APPLICATION = """
import asyncio
import hivewire
from words import WORD

app = hivewire.App()

@app.on_start
async def hello():
    await app.send("bot", "user:witness", text=f"{WORD} starts")

@app.on_stop
async def bye():
    await app.send("bot", "user:witness", text=f"{WORD} stops")

@app.on_connect
async def comes(session):
    session.state["by"] = WORD

@app.on_disconnect
async def goes(session, code):
    await app.send("bot", "user:witness", text=f"{WORD}: {session.user} of {session.state['by']}")

@app.on_send
async def judge(message):
    if message.text == "hang" and WORD == "old":
        await asyncio.Event().wait()
    message.text = f"{WORD} {message.text}"
"""


class Place:
    """A directory with an application in it, and the node that runs it."""

    def __init__(self, root: Path, *, source: Path | None = None, **env: str) -> None:
        self.root = root / "application"
        self.root.mkdir()
        self.config = root / "settings.toml"
        self.config.write_text("")
        self.write(word="old")
        path = os.pathsep.join([str(self.root), str(source or Path(package.__file__).parents[1])])
        flags = ["--config", str(self.config), "talk:app"]
        self.node = Node(root / "data", flags=flags, env={"PYTHONPATH": path, **env})

    def write(self, word: str, talk: str = APPLICATION) -> None:
        """What the next reload imports."""
        (self.root / "talk.py").write_text(talk)
        (self.root / "words.py").write_text(f"WORD = {word!r}\n")

    async def reload(self) -> subprocess.CompletedProcess[str]:
        data = str(self.node.data)
        return await asyncio.to_thread(command, "reload", "--data", data)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    place.node.start()
    yield place
    place.node.stop()


async def texts(line: Stranger, count: int) -> list[str]:
    return [(await line.push("event"))["text"] for _ in range(count)]


async def test_hooks_are_new_and_connections_stay(place: Place) -> None:
    witness = await Stranger.join(place.node, "witness", cursor=0)
    await witness.read_all()
    ann = await Stranger.join(place.node, "ann")
    bob = await Stranger.join(place.node, "bob", encoding="msgpack")
    await ann.send("user:bob", "one", key())
    place.write("new")
    done = await place.reload()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("reloaded in ")
    await ann.send("user:bob", "two", key())
    assert await texts(bob, 2) == ["old one", "new two"]
    assert sorted(await texts(witness, 2)) == ["new starts", "old stops"]
    await ann.leave()
    assert await texts(witness, 1) == ["new: ann of old"]
    await bob.leave()
    await witness.leave()
    place.node.assert_calm()


@pytest.mark.parametrize(
    ("talk", "problem"),
    [
        ("import hivewire\napp = hivewire.App(", "SyntaxError"),
        ("import nothing_of_that_name", "nothing_of_that_name"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("app = 'no application'", "not a hivewire.App"),
        (
            f"{APPLICATION}\n@app.on_start\nasync def fails():\n    raise OSError('no pool')",
            "no pool",
        ),
    ],
)
async def test_an_application_that_fails_leaves_the_old_one_running(
    place: Place, talk: str, problem: str
) -> None:
    ann = await Stranger.join(place.node, "ann")
    place.write("broken", talk)
    done = await place.reload()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("hivewire: not reloaded: ")
    assert problem in done.stderr
    assert "not reloaded" in place.node.stderr()
    sent = await ann.send("user:ann", "still", key())
    assert [event["text"] for event in await ann.read_all(sent["seq"] - 1)] == ["old still"]
    place.write("new")
    assert (await place.reload()).returncode == 0
    sent = await ann.send("user:ann", "then", key())
    assert [event["text"] for event in await ann.read_all(sent["seq"] - 1)] == ["new then"]
    await ann.leave()


async def test_a_message_that_a_hook_holds_is_judged_by_the_new_one(place: Place) -> None:
    """And what the connection said behind it stays behind it."""
    ann = await Stranger.join(place.node, "ann")
    bob = await Stranger.join(place.node, "bob")
    mine = key()
    held = ann.ask("send", to="user:bob", text="hang", key=mine)
    behind = [ann.ask("send", to="user:bob", text=f"{n}", key=key()) for n in range(5)]
    wrong = ann.ask("send", to="user:bob")
    place.write("new")
    assert (await place.reload()).returncode == 0
    assert (await held)["dup"] is False
    places = [(await answer)["n"] for answer in behind]
    assert places == sorted(places)
    assert (await wrong)["code"] == "bad_request"
    assert await texts(bob, 6) == ["new hang", *(f"new {n}" for n in range(5))]
    assert (await ann.send("user:bob", "hang", mine))["dup"] is True
    await ann.leave()
    await bob.leave()


async def test_what_belongs_to_a_connection_goes_on(place: Place) -> None:
    """Presence watched, a channel open, a status, and a device that has just gone."""
    ann = await Stranger.join(place.node, "ann")
    bob = await Stranger.join(place.node, "bob")
    cat = await Stranger.join(place.node, "cat")
    made = await ann.make_group("bob", kind="channel")
    await bob.call("open", conv=made["conv"])
    await ann.call("watch", users=["bob", "cat", "dan"])
    await cat.call("status", state="away")
    change = (await ann.push("presence"))["changes"]
    assert [(one["user"], one["state"]) for one in change] == [("cat", "away")]
    await cat.leave()
    assert (await place.reload()).returncode == 0
    assert (await ann.call("watch", users=["cat"]))["changes"][0]["state"] == "away"
    await bob.call("status", state="away")
    change = (await ann.push("presence"))["changes"]
    assert [(one["user"], one["state"]) for one in change] == [("bob", "away")]
    await ann.send(made["conv"], "hi", key())
    assert (await bob.push("channel_event"))["text"] == "old hi"
    await bob.send("user:ann", "answer", key())
    event = await ann.push("event")
    await ann.call("read", conv=event["conv"], n=event["n"])
    assert (await bob.push("receipt"))["read"] == event["n"]
    await ann.leave()
    await bob.leave()


async def test_pages_that_nobody_read_yet_come_once_and_in_order(place: Place) -> None:
    """Commands wait behind a full outbox while the node is replaced."""
    ann = await Stranger.join(place.node, "ann")
    for _ in range(16):
        await ann.send("user:bob", "x" * 15_000, key())
    bob = await deaf_line(place.node, "bob")
    asked = [bob.ask("sync", after=at % 16, limit=100) for at in range(40)]
    marks = [bob.ask("ping") for _ in range(3)]
    await ann.send("user:ann", "later", key())
    for _ in range(2):
        assert (await place.reload()).returncode == 0
    bob.line.writer.transport.resume_reading()  # type: ignore[attr-defined]
    pages = await asyncio.gather(*asked, *marks)
    assert [page["op"] for page in pages] == ["page"] * 40 + ["pong"] * 3
    assert [page["events"][0]["seq"] for page in pages[:40]] == [at % 16 + 1 for at in range(40)]
    order = [got["id"] for got in bob.received if got["op"] in ("page", "pong")]
    assert order == sorted(order)
    for line in (ann, bob):
        await line.leave()


async def test_settings_are_read_again_and_those_that_cannot_change_are_named(
    place: Place,
) -> None:
    place.config.write_text("[limits]\ndevices = 3\nmax_connections = 77\n[log]\nlevel = 'debug'\n")
    done = await place.reload()
    assert done.returncode == 0
    assert done.stdout.endswith("not before the next start: limits.max_connections\n")
    ann = await Stranger.join(place.node, "ann")
    assert ann.connected["limits"]["devices"] == 3
    await ann.leave()
    place.config.write_text("[limits]\ndevises = 3\n")
    done = await place.reload()
    assert (done.returncode, "devises" in done.stderr) == (1, True)
    place.config.write_text("")


async def test_sighup_reloads_and_says_so_in_the_log(place: Place) -> None:
    place.write("new")
    ann = await Stranger.join(place.node, "ann")
    place.node.process.send_signal(signal.SIGHUP)
    async with asyncio.timeout(10):
        while '"event": "reloaded"' not in place.node.stderr():  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.01)
    sent = await ann.send("user:ann", "hi", key())
    assert [event["text"] for event in await ann.read_all(sent["seq"] - 1)] == ["new hi"]
    assert get(place.node, "/health/ready")[0] == 200
    await ann.leave()


def test_without_a_node_there_is_nothing_to_reload(tmp_path: Path) -> None:
    done = command("reload", "--data", str(tmp_path))
    assert (done.returncode, done.stderr) == (1, f"hivewire: no node runs on {tmp_path}\n")


# -- hivewire itself ------------------------------------------------------------------------------


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[Place]:
    """A node of a copy of hivewire, which a test may change."""
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(package.__file__).parent, source / "hivewire", ignore=ignored)
    place = Place(tmp_path, source=source)
    place.node.start()
    yield place
    place.node.stop()


async def test_handlers_are_new_if_they_have_changed(copied: Place, tmp_path: Path) -> None:
    ann = await Stranger.join(copied.node, "ann")
    bob = await Stranger.join(copied.node, "bob")
    await ann.call("watch", users=["bob"])
    held = ann.ask("send", to="user:bob", text="hang", key=key())
    behind = ann.ask("send", to="user:bob", text="data", data={"x": [1, 2.5, None]}, key=key())
    changed = tmp_path / "source" / "hivewire" / "handlers" / "refresh.py"
    changed.write_text(
        f"{changed.read_text()}\n\n"
        "def handle(command: Refresh, caller: Caller, services: Services) -> None:\n"
        "    services.delivery.answer(caller, {'op': 'ok', 'id': command.id, 'new': 'code'})\n"
    )
    copied.write("new")
    files = tables(copied)
    done = await copied.reload()
    assert (done.returncode, done.stderr) == (0, "")
    assert tables(copied) == files, "the database stays open as it is"
    assert "hivewire itself too" in done.stdout
    assert await texts(bob, 2) == ["new hang", "new data"]
    assert ((await held)["n"], (await behind)["n"]) == (1, 2)
    assert (await ann.call("refresh", token="any"))["new"] == "code"
    await bob.call("status", state="away")
    assert (await ann.push("presence"))["changes"][0]["user"] == "bob"
    again = await copied.reload()
    assert "hivewire itself" not in again.stdout
    await bob.send("user:ann", "x", key())
    assert await texts(ann, 1) == ["new x"]
    await ann.leave()
    await bob.leave()
    copied.node.assert_calm()


async def test_code_that_cannot_be_imported_or_made_leaves_the_old_running(
    copied: Place, tmp_path: Path
) -> None:
    ann = await Stranger.join(copied.node, "ann")
    changed = tmp_path / "source" / "hivewire" / "handlers" / "rates.py"
    before = changed.read_text()
    for breakage in ("raise OSError('half a file')\n", "del Rates.__init__\n"):
        changed.write_text(f"{before}\n\n{breakage}")
        done = await copied.reload()
        assert (done.returncode, "not reloaded" in done.stderr) == (1, True)
        await ann.send("user:ann", "still", key())
        assert await texts_of(ann) == "old still"
    changed.write_text(before)
    copied.write("new")
    assert (await copied.reload()).returncode == 0
    await ann.send("user:ann", "then", key())
    assert await texts_of(ann) == "new then"
    await ann.leave()


async def test_another_engine_needs_a_restart(copied: Place, tmp_path: Path) -> None:
    (engine,) = (tmp_path / "source" / "hivewire").glob("_engine*.so")
    os.utime(engine)
    done = await copied.reload()
    assert (done.returncode, "restart the node" in done.stderr) == (1, True)


def tables(place: Place) -> set[str]:
    return {path.name for path in (place.node.data / "db").glob("*.sst")}


async def texts_of(line: Stranger) -> str:
    events: list[dict[str, Any]] = await line.read_all(0)
    return events[-1]["text"]
