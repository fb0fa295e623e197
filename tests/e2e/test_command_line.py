"""The command line that scripts rely on, and the api listener: protocol sections 9 and 10."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.e2e.rfc6455 import BINARY, TEXT, Line
from tests.e2e.stranger import Stranger, key
from tests.node import SECRET, NodeFailed
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.node import Node

    Name = Callable[[str], str]


def hivewire(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HIVEWIRE_")}
    return subprocess.run(
        [sys.executable, "-m", "hivewire", *arguments],
        env=clean | env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def get(node: Node, path: str) -> tuple[int, str]:
    """GET from the api listener."""
    url = f"http://{node.api[0]}:{node.api[1]}{path}"
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


# -- serve ------------------------------------------------------------------------------------


def test_serve_says_ready_and_drains_on_sigterm(start_node: Callable[..., Node]) -> None:
    node = start_node()
    assert node.edge[0] == node.api[0] == "127.0.0.1"
    assert node.edge[1] > 0
    assert node.edge[1] != node.api[1]
    node.stop()


async def test_a_second_sigterm_stops_at_once(start_node: Callable[..., Node], name: Name) -> None:
    node = start_node(env={"HIVEWIRE_DRAIN__SPREAD": "30s", "HIVEWIRE_DRAIN__TIME": "60s"})
    lines = [await Stranger.join(node, name("ann"), f"d{at}") for at in range(5)]
    node.terminate()
    await asyncio.sleep(0.3)
    node.process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(node.wait, 5)
    for line in lines:
        line.cut()


def test_a_data_directory_that_another_node_holds_is_a_clear_error(
    start_node: Callable[..., Node],
) -> None:
    node = start_node(name="held")
    with pytest.raises(NodeFailed) as failed:
        start_node(name="held")
    words = str(failed.value)
    assert "exit 0" not in words
    assert str(node.data) in words
    assert "Traceback" not in words
    assert node.running()


def test_the_data_directory_is_private(start_node: Callable[..., Node]) -> None:
    node = start_node()
    assert stat.S_IMODE(node.data.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "env",
    [
        {"HIVEWIRE_LIMITS__MAX_CONECTIONS": "5"},
        {"HIVEWIRE_NONSENSE__X": "5"},
        {"HIVEWIRE_HEARTBEAT__INTERVAL": "often"},
        {"HIVEWIRE_AUTH__ALGORITHM": "none"},
    ],
    ids=lambda env: next(iter(env)),
)
def test_a_wrong_setting_is_an_error_that_names_it(
    start_node: Callable[..., Node], env: dict[str, str]
) -> None:
    with pytest.raises(NodeFailed) as failed:
        start_node(env=env)
    words = str(failed.value).lower()
    assert next(iter(env)).rsplit("__", 1)[-1].lower() in words
    assert "traceback" not in words


def test_without_a_secret_and_without_dev_it_does_not_start(
    start_node: Callable[..., Node],
) -> None:
    with pytest.raises(NodeFailed) as failed:
        start_node(env={"HIVEWIRE_AUTH__SECRET": None})
    assert "secret" in str(failed.value).lower()


async def test_dev_keeps_a_secret_so_that_tokens_outlive_a_restart(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node(env={"HIVEWIRE_AUTH__SECRET": None}, flags=["--dev"])
    printed = hivewire("token", "--user", name("ann"), "--data", str(node.data))
    assert printed.returncode == 0, printed.stderr
    secrets = [
        path
        for path in node.data.rglob("*")
        if path.is_file() and "secret" in path.name and path.stat().st_size
    ]
    assert secrets
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}
    for _ in range(2):
        async with await Stranger.dial(node) as ann:
            told = await ann.connect(token=printed.stdout.strip(), device="phone")
            assert told["user"] == name("ann")
        node.stop()
        node.restart()


# -- other commands ---------------------------------------------------------------------------


async def test_token_prints_a_token_that_the_node_takes(node: Node, name: Name) -> None:
    arguments = ("--user", name("ann"), "--device", "phone", "--ttl", "30m")
    printed = hivewire("token", *arguments, HIVEWIRE_AUTH__SECRET=SECRET)
    assert printed.returncode == 0, printed.stderr
    async with await Stranger.dial(node) as ann:
        told = await ann.connect(token=printed.stdout.strip(), device="phone")
    left = told["token_expires"] - told["server_time"]
    assert 1_700_000 < left <= 1_800_000


def test_check_config(tmp_path: Path) -> None:
    good = hivewire("check-config", HIVEWIRE_AUTH__SECRET=SECRET)
    assert good.returncode == 0, good.stderr
    bad = hivewire("check-config", HIVEWIRE_AUTH__SECRET=SECRET, HIVEWIRE_LIMITS__TEXT_BITES="1")
    assert bad.returncode != 0
    assert "TEXT_BITES" in bad.stderr + bad.stdout or "text_bites" in bad.stderr + bad.stdout
    config = tmp_path / "hivewire.toml"
    config.write_text("[limits]\nnonsense = 1\n")
    bad = hivewire("check-config", "--config", str(config), HIVEWIRE_AUTH__SECRET=SECRET)
    assert bad.returncode != 0
    assert "nonsense" in bad.stderr + bad.stdout


def test_doctor_is_well() -> None:
    done = hivewire("doctor", HIVEWIRE_AUTH__SECRET=SECRET)
    assert done.returncode == 0, done.stdout + done.stderr


async def test_verify_proves_the_data_and_finds_what_is_wrong(
    start_node: Callable[..., Node], name: Name
) -> None:
    node = start_node()
    async with await Stranger.join(node, name("ann")) as ann:
        for _ in range(30):
            await ann.send(f"user:{name('bob')}", "x", key())
    node.stop()
    good = hivewire("verify", "--data", str(node.data))
    assert good.returncode == 0, good.stdout + good.stderr
    damage = (
        "import rocksdict, sys\n"
        "path = sys.argv[1]\n"
        "raw = rocksdict.Options(raw_mode=True)\n"
        "names = rocksdict.Rdict.list_cf(path, raw)\n"
        "db = rocksdict.Rdict(path, raw, column_families={name: raw for name in names})\n"
        "timeline = db.get_column_family('timeline')\n"
        "keys = list(timeline.keys())\n"
        "del timeline[keys[len(keys) // 2]]\n"
        "db.flush_wal(True)\n"
        "db.close()\n"
    )
    stores = {path.parent for path in node.data.rglob("CURRENT")}
    command = [sys.executable, "-c", damage, str(*stores)]
    await asyncio.to_thread(subprocess.run, command, check=True, timeout=30)
    bad = hivewire("verify", "--data", str(node.data))
    assert bad.returncode != 0
    assert "I3" in bad.stdout + bad.stderr or "seq" in bad.stdout + bad.stderr


async def test_verify_after_a_kill(start_node: Callable[..., Node], name: Name) -> None:
    node = start_node()
    ann = await Stranger.join(node, name("ann"))
    asked = [ann.ask("send", to=f"user:{name('b')}", key=key(), text="x") for _ in range(30)]
    await asked[0]
    node.kill9()
    ann.cut()
    done = hivewire("verify", "--data", str(node.data))
    assert done.returncode == 0, done.stdout + done.stderr


async def test_echo_is_the_bare_engine() -> None:
    from tests.conformance.run import echo

    with echo(()) as address:
        host, _, port = address.rpartition(":")
        line = await Line.open((host, int(port)), path="/")
        for opcode, payload in ((TEXT, b"hello"), (BINARY, b"\x00\xff" * 1000), (TEXT, b"")):
            line.send(opcode, payload)
            frame = await line.frame()
            assert (frame.opcode, frame.payload) == (opcode, payload)
        # No limits on rates: a burst is echoed whole and in order.
        for number in range(2000):
            line.send(TEXT, b"%d" % number)
        for number in range(2000):
            assert (await line.frame()).payload == b"%d" % number
        line.close(1000)
        await line.expect_close(1000)
        line.abort()


async def test_chat_by_pipe(node: Node, name: Name) -> None:
    """What a newcomer types arrives, and what is sent to him is shown."""
    url = f"ws://{node.edge[0]}:{node.edge[1]}/v1/ws"
    who = ("--as", name("ann"), "--to", name("bob"), "--url", url, "--token", token(name("ann")))
    async with await Stranger.join(node, name("bob")) as bob:
        chat = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "hivewire", "chat", *who),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert chat.stdin is not None
        assert chat.stdout is not None
        chat.stdin.write("hello bob ✓\n".encode())
        assert (await bob.event())["text"] == "hello bob ✓"
        await bob.send(f"user:{name('ann')}", "hello ann", key())
        async with asyncio.timeout(10):
            while b"hello ann" not in await chat.stdout.readline():
                pass
        chat.stdin.close()
        await asyncio.wait_for(chat.wait(), 10)
        assert chat.returncode == 0


# -- the api listener -------------------------------------------------------------------------


def test_health(node: Node) -> None:
    assert get(node, "/health/live")[0] == 200
    assert get(node, "/health/ready")[0] == 200
    assert get(node, "/nowhere")[0] == 404


async def test_a_draining_node_is_not_ready(start_node: Callable[..., Node], name: Name) -> None:
    node = start_node(env={"HIVEWIRE_DRAIN__SPREAD": "2s"})
    ann = await Stranger.join(node, name("ann"))
    node.terminate()
    try:
        status, _ = await asyncio.to_thread(get, node, "/health/ready")
        assert status == 503
    except urllib.error.URLError:
        pass  # it may be gone by now
    await ann.expect_closed(4000)
    assert await asyncio.to_thread(node.wait) == 0


async def test_metrics_count_what_happened(start_node: Callable[..., Node], name: Name) -> None:
    node = start_node()
    async with await Stranger.join(node, name("ann")) as ann:
        for _ in range(5):
            await ann.send(f"user:{name('bob')}", "x", key())
        await ann.refused("dance")
        status, text = await asyncio.to_thread(get, node, "/metrics")
    assert status == 200
    values = dict(
        line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")
    )
    assert float(values['hivewire_commands_total{op="send",result="ok"}']) == 5
    assert all(name.startswith(("hivewire_", "python_", "process_")) for name in values)
    for word in ("connections", "commits", "commit_seconds", "loop_lag", "bytes", "puts"):
        assert any(word in name for name in values), word
