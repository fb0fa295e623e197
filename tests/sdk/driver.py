"""The Python SDK as an application of the conformance run; the same as driver.mjs.

Commands come as lines of JSON on standard input, what the application saw goes out as such lines.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from hivewire.client import Client, Closed, CommandFailed, Discarded, Store


def saw(what: str, **fields: Any) -> None:
    sys.stdout.write(json.dumps({"saw": what, **fields}) + "\n")
    sys.stdout.flush()


class Application:
    """Reads events, keeps them, and tells everything it sees."""

    def __init__(self) -> None:
        self.client: Client
        self.tokens: asyncio.Queue[str] = asyncio.Queue()
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.tasks: set[asyncio.Task[None]] = set()

    async def open(
        self,
        url: str,
        token: str,
        device: str,
        store: str | None,
        *,
        fresh_tokens: bool,
        from_start: bool,
    ) -> None:
        self.client = Client(
            url,
            self.fetch if fresh_tokens else token,
            device=device,
            store=Store(f"{store}.sqlite") if store else None,
            begin_offline=True,
            from_start=from_start,
            on_line=lambda line: saw("line", state=line.value),
            on_loss=lambda loss: saw("loss", why=loss.name.lower()),
            on_status=lambda status: saw("status", key=status.key, state=status.state),
        )
        kept = self.client.kept("event ")
        await self.client.__aenter__()
        saw("kept", seqs=list(kept.values()))
        saw("pending", keys=[status.key for status in self.client.pending])
        self.spawn(self.read())

    async def fetch(self) -> str:
        saw("token wanted")
        return await self.tokens.get()

    async def send(self, to: str, text: str, key: str) -> None:
        async def sending() -> None:
            try:
                await self.client.send(to, text=text, key=key)
            except CommandFailed as error:
                saw("refused", key=key, code=error.code)
            except (Closed, Discarded):
                pass

        self.spawn(sending())
        await asyncio.sleep(0)

    async def ask(self, label: str, op: str, fields: dict[str, Any]) -> None:
        async def asking() -> None:
            try:
                answer = await self.client.ask(op, **fields)
            except CommandFailed as error:
                saw("answer", label=label, answer={"error": error.code})
            else:
                saw("answer", label=label, answer={k: v for k, v in answer.items() if k != "id"})

        self.spawn(asking())

    async def token(self, token: str) -> None:
        self.tokens.put_nowait(token)

    async def hold(self) -> None:
        self.may_read.clear()

    async def go(self) -> None:
        self.may_read.set()

    async def discard(self, key: str) -> None:
        saw("discarded", key=key, done=self.client.discard(key))

    async def close(self) -> None:
        await self.client.close()
        sys.exit(0)

    async def read(self) -> None:
        try:
            async for event in self.client:
                await self.may_read.wait()
                self.client.keep(f"event {event.seq:08}", event.seq)
                told = {"type": event.type, "conv": event.conv, "n": event.n, "text": event.text}
                saw("event", seq=event.seq, **told, **{"from": event.sender, "key": event.key})
        except Closed as error:
            saw("closed", code=error.code)
            saw("end", code=error.code)

    def spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


async def main() -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    application = Application()
    while line := await reader.readline():
        command = json.loads(line)
        await getattr(application, command.pop("do"))(**command)


if __name__ == "__main__":
    asyncio.run(main())
