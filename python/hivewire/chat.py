"""`hivewire chat`: a terminal chat between two users, on the client like any other program.

Lines of standard input are sent; what arrives is printed, own lines with a ✓ because they are shown
only when they are on stable storage. When the node goes away the chat says so, keeps what was typed
and goes on when the node is back. The server remembers how far this terminal has read, so a second
start continues where the first one stopped.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Final

from hivewire.client import Client, ClientError, CommandFailed, Event, Line

if TYPE_CHECKING:
    from hivewire.client.session import Loss

DEVICE: Final = "terminal"
# After the end of the input: how long to wait for what is still on its way.
LEAVE_SECONDS: Final = 5.0
# Clears the line that the terminal has echoed; the same text comes back with its ✓.
FORGET_TYPED_LINE: Final = "\x1b[1A\x1b[2K"


def run(url: str, token: str, me: str, to: str) -> int:
    """Chat until the end of the input or Ctrl-C; gives the exit status."""
    try:
        asyncio.run(talk(url, token, me, to))
    except KeyboardInterrupt:
        return 0
    except (ClientError, ConnectionError) as error:
        sys.stderr.write(f"hivewire: {error}\n")
        return 1
    return 0


async def talk(url: str, token: str, me: str, to: str) -> None:
    """Connect, then send what is typed and show what comes until the input ends."""
    screen = Screen(me, to)
    client = Client(
        url,
        token,
        device=DEVICE,
        from_start=True,
        on_line=screen.show_line,
        on_loss=screen.show_loss,
    )
    async with client:
        showing = asyncio.create_task(show(client, screen))
        sending = asyncio.create_task(send_all(client, screen))
        try:
            done, _ = await asyncio.wait((showing, sending), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            showing.cancel()
            sending.cancel()


async def show(client: Client, screen: Screen) -> None:
    """Print the timeline as it comes."""
    async for event in client:
        screen.show(event)


async def send_all(client: Client, screen: Screen) -> None:
    """Send each line of standard input, one after the other; then wait for what is on its way."""
    lines: asyncio.Queue[str | None] = asyncio.Queue(maxsize=100)
    loop = asyncio.get_running_loop()
    # A thread, because standard input may be a file, which no event loop watches.
    threading.Thread(target=read_lines, args=(lines, loop), daemon=True).start()
    while (line := await lines.get()) is not None:
        text = line.rstrip("\n")
        if not text:
            continue
        screen.typed(text, online=client.is_online)
        try:
            sent = await client.send(f"user:{screen.to}", text=text)
            screen.last_sent = sent.seq or 0
        except CommandFailed as error:
            screen.note(f"not sent: {error}")
    await finish(client, screen)


def read_lines(lines: asyncio.Queue[str | None], loop: asyncio.AbstractEventLoop) -> None:
    """Put the lines of standard input into `lines`, None at the end; runs in its own thread."""
    line: str | None = ""
    while line is not None:
        line = sys.stdin.readline() or None
        asyncio.run_coroutine_threadsafe(lines.put(line), loop).result()


async def finish(client: Client, screen: Screen) -> None:
    """Wait a little until everything that is on its way has been shown."""
    loop = asyncio.get_running_loop()
    end = loop.time() + LEAVE_SECONDS
    while loop.time() < end:
        if client.is_caught_up and screen.last_shown >= screen.last_sent:
            return
        await asyncio.sleep(0.05)


class Screen:
    """What the person sees.

    Args:
        me: the own user id.
        to: the other's user id.
    """

    def __init__(self, me: str, to: str) -> None:
        self.me = me
        self.to = to
        self.last_sent = 0
        self.last_shown = 0
        self._conv = "direct:" + ",".join(sorted((me, to), key=str.encode))
        self._is_terminal = sys.stdin.isatty() and sys.stdout.isatty()

    def show(self, event: Event) -> None:
        """Print an event of the timeline."""
        self.last_shown = event.seq
        if event.conv != self._conv:
            self.note(f"{event.sender} wrote elsewhere ({event.conv})")
        elif event.type == "message":
            moment = datetime.fromtimestamp(event.ts / 1000).astimezone().strftime("%H:%M")
            text = printable(event.text or "(no text)")
            own = event.sender == self.me
            self._print(f"{moment} {event.sender}: {text}{' ✓' if own else ''}")

    def typed(self, text: str, *, online: bool) -> None:
        """A line was typed: it comes back with its ✓ once it is sent."""
        if self._is_terminal:
            sys.stdout.write(FORGET_TYPED_LINE)
            sys.stdout.flush()
        if not online:
            self.note(f"waits: {printable(text)}")

    def show_line(self, line: Line) -> None:
        """The line to the node came or went."""
        if line is Line.ONLINE:
            self.note(f"online as {self.me}, talking to {self.to} (Ctrl-D leaves)")
        else:
            self.note("offline; trying to get back")

    def show_loss(self, loss: Loss) -> None:
        """Something will not come any more."""
        self.note(loss.value)

    def note(self, text: str) -> None:
        """Print a line of the program itself."""
        self._print(f"* {text}")

    def _print(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def printable(text: str) -> str:
    """`text` without what could steer the terminal: others wrote it."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
