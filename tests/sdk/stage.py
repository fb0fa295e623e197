"""One scenario played with one SDK: Ann's application behind the proxy, Ben on the node itself."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

from tests.e2e.stranger import Stranger
from tests.node import Node
from tests.sdk.application import PATIENCE, Application, Story
from tests.sdk.proxy import Fault, Proxy
from tests.tokens import token

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_serial = itertools.count(1)
FINAL = ("sent", "delivered", "read", "failed")


class Stage:
    """Where a scenario is played. Each step of the scenario is a method of the same name.

    Args:
        scenario: as its file says.
        command: starts the SDK's driver.
        node: the node behind the proxy.
        folder: where the application keeps its store.
        sees_status: whether the SDK is told how an upgrade was answered.
    """

    def __init__(
        self,
        scenario: dict[str, Any],
        command: Sequence[str],
        node: Node,
        folder: Path,
        *,
        sees_status: bool = True,
    ) -> None:
        self.scenario = scenario
        self.node = node
        self.folder = folder
        self.sees_status = sees_status
        self.serial = next(_serial)
        self.ann, self.ben = f"ann.{self.serial}", f"ben.{self.serial}"
        self.proxy = Proxy(node.edge)
        self.application = Application(command, self._give_token)
        self.ttl = 3600.0
        self.peer: Stranger | None = None
        self.keys: dict[str, str] = {}
        self.opening: dict[str, Any] = {}
        self.expected_faults = 0

    @property
    def story(self) -> Story:
        return self.application.story

    async def play(self) -> dict[str, Any]:
        """Play all steps and judge; gives the story in words that all SDKs share."""
        async with self.proxy.listening():
            await self.application.start()
            try:
                for step in self.scenario["steps"]:
                    ((verb, how),) = step.items() if isinstance(step, dict) else ((step, None),)
                    await getattr(self, f"step_{verb}")(how)
                await self._judge()
            finally:
                await self.application.kill()
                if self.peer is not None:
                    self.peer.line.abort()
        return self._told()

    # -- Ann's application -----------------------------------------------------------------------

    async def step_open(self, how: dict[str, Any] | None) -> None:
        """Open a client; what the first one said counts for later ones, too."""
        how = how or {}
        self.ttl = how.get("ttl", self.ttl)
        opened = self.story.opened
        self.opening = {
            "url": self.proxy.url,
            "token": token(self.ann, ttl=self.ttl),
            "device": "phone",
            "store": str(self.folder / f"store{self.serial}"),
            "fresh_tokens": how.get("fresh_tokens", False),
            "from_start": True,
        }
        self.application.do("open", **self.opening)
        await self.application.until(lambda story: story.opened > opened, "an open client")
        if not how.get("offline"):
            await self.step_online(1)

    async def step_crash(self, _: None) -> None:
        """Kill the application and start it again, with the store that it left."""
        await self.application.kill()
        self.story.lines.clear()
        await self.application.start()

    async def step_leave(self, _: None) -> None:
        """The application closes its client and ends."""
        await self.application.close()
        self.story.lines.clear()
        await self.application.start()

    async def step_send(self, texts: str | list[str]) -> None:
        """Ann sends these to Ben, one behind the other, and waits for nothing."""
        for text in [texts] if isinstance(texts, str) else texts:
            self.keys[text] = f"{text}-{self.serial:08}"
            self.application.do("send", to=f"user:{self.ben}", text=text, key=self.keys[text])

    async def step_send_to(self, how: dict[str, str]) -> None:
        """Ann sends a text to a conversation."""
        text = how["text"]
        self.keys[text] = f"{text}-{self.serial:08}"
        self.application.do("send", to=how["to"], text=text, key=self.keys[text])

    async def step_ask(self, how: dict[str, Any]) -> None:
        """Ann asks something else."""
        fields = {name: self._filled(value) for name, value in how.get("fields", {}).items()}
        self.application.do("ask", label=how["op"], op=how["op"], fields=fields)

    async def step_discard(self, text: str) -> None:
        self.application.do("discard", key=self.keys[text])
        await self.application.until(lambda story: self.keys[text] in story.discarded, "discard")

    async def step_hold(self, _: None) -> None:
        """The application takes no further event."""
        self.application.do("hold")

    async def step_go(self, _: None) -> None:
        self.application.do("go")

    # -- Ben and the other devices ---------------------------------------------------------------

    async def step_ben(self, texts: str | list[str] | int) -> None:
        """Ben sends these to Ann (or so many), each answered before the next."""
        ben = await self._ben()
        many = [f"m{number}" for number in range(texts)] if isinstance(texts, int) else texts
        for text in [many] if isinstance(many, str) else many:
            await ben.send(f"user:{self.ann}", text, f"{text}-ben-{self.serial:08}")

    async def step_ben_receives(self, _: None) -> None:
        """Ben's device says that it has everything."""
        ben = await self._ben()
        page = await ben.sync(0, 500)
        await ben.call("ack", seq=page["head"])

    async def step_ben_reads(self, n: int) -> None:
        ben = await self._ben()
        await ben.call("read", conv=self._direct(), n=n)
        # When Ben's own devices are told, everybody was: receipts are gathered for a moment.
        await ben.seen("receipt", user=self.ben, read=n)

    async def step_rival(self, _: None) -> None:
        """Another program connects as the same device."""
        await Stranger.join(self.node, self.ann, "phone")

    # -- the line and the node -------------------------------------------------------------------

    async def step_fault(self, how: dict[str, Any]) -> None:
        """Break the line at a step of the protocol that is still to come."""
        fault = Fault(**how)
        self.expected_faults += fault.times
        self.proxy.faults.append(fault)

    async def step_refuse(self, how: dict[str, int]) -> None:
        """The next upgrades get a 503."""
        self.proxy.refuse, self.proxy.retry_after = how["count"], how["retry_after"]
        self.expected_faults += how["count"]

    async def step_cut(self, _: None) -> None:
        self.story.lines.clear()
        self.proxy.cut_all()
        await self.step_online(1)

    async def step_offline(self, _: None) -> None:
        """Nobody answers at the proxy's target any more."""
        self.proxy.target = ("127.0.0.1", 1)
        self.proxy.cut_all()
        await self.application.until(lambda story: story.lines[-1:] != ["online"], "offline")

    async def step_back(self, _: None) -> None:
        self.story.lines.clear()
        self.proxy.target = self.node.edge

    async def step_node(self, how: str) -> None:
        """`kill`, `drain` or `replace` the node: with the same data, or with none."""
        await self._forget_ben()
        self.story.lines.clear()
        if how == "drain":
            self.node.terminate()
            await asyncio.to_thread(self.node.wait)
        else:
            await asyncio.to_thread(self.node.kill9)
        if how == "replace":
            self.node = Node(self.node.data.with_name("replaced"), env=self.node.env)
        await asyncio.to_thread(self.node.start)
        self.proxy.target = self.node.edge

    # -- waiting ---------------------------------------------------------------------------------

    async def step_online(self, times: int) -> None:
        """A line has come up so many times since it was last cut."""
        await self.application.until(
            lambda story: story.lines.count("online") >= times, f"online {times} times"
        )

    async def step_sees(self, texts: list[str] | str | int) -> None:
        """The application has seen this text, these in this order, or so many events."""
        if isinstance(texts, int):
            await self.application.until(lambda story: len(story.events) >= texts, f"{texts}")
            return
        wanted = [texts] if isinstance(texts, str) else texts
        await self.application.until(
            lambda story: set(wanted) <= {event["text"] for event in story.events}, str(wanted)
        )

    async def step_state(self, states: dict[str, str]) -> None:
        """Sends have come so far."""
        for text, state in states.items():
            await self.application.until(
                lambda story, text=text, state=state: (
                    state in story.states.get(self.keys[text], ())
                ),
                f"{text} {state}",
            )

    async def step_answer(self, op: str) -> None:
        await self.application.until(lambda story: op in story.answers, f"an answer to {op}")

    async def step_lost(self, why: str) -> None:
        await self.application.until(lambda story: why in story.losses, f"loss by {why}")

    async def step_unbroken(self, _: None) -> None:
        """The line that came up first is still there."""
        assert self.story.lines == ["online"]

    async def step_closed(self, code: int) -> None:
        await self.application.until(lambda story: story.closed == code, f"closed {code}")

    async def step_tokens(self, count: int) -> None:
        """The application was asked for a token so many times."""
        await self.application.until(lambda story: story.tokens_wanted >= count, f"{count} tokens")

    async def step_broken(self, _: None) -> None:
        """Every fault so far has struck."""
        async with asyncio.timeout(PATIENCE):
            await self.proxy.until_fired(self.expected_faults)

    # -- judging ---------------------------------------------------------------------------------

    async def _judge(self) -> None:
        """What holds in every scenario; then what this one expects."""
        expect = self.scenario.get("expect", {})
        if not expect.get("closed"):
            await self._settle()
        assert self.story.faults == []
        assert len(self.proxy.fired) == self.expected_faults, self.proxy.fired
        told = self._told()
        for name, wanted in expect.items():
            assert told[name] == wanted, f"{name}: {told[name]}, not {wanted}"
        self._judge_slots()

    async def _settle(self) -> None:
        """The application has seen the timeline, all of it, once and in order, and nothing else."""
        keys = [self.keys[text] for text in self.keys]
        await self.application.until(
            lambda story: all(
                story.states.get(key, [""])[-1] in FINAL or key in story.discarded for key in keys
            ),
            "an end of every send",
        )
        witness = await Stranger.join(self.node, self.ann, "witness", cursor=0)
        timeline = await witness.read_all()
        await witness.leave()
        await self.application.until(
            lambda story: len(story.events) >= len(timeline), f"{len(timeline)} events"
        )
        fields = ("seq", "type", "conv", "n", "from", "text", "key")
        assert self.story.events == [
            {name: event.get(name) for name in fields} for event in timeline
        ]

    def _judge_slots(self) -> None:
        """Nobody came back before the time that a 503 has told."""
        for refused in self.proxy.refused_at:
            later = [at for at in self.proxy.upgrades_at if at > refused]
            assert later, "never came back after a 503"
            assert not self.sees_status or later[0] - refused >= self.proxy.retry_after

    def _told(self) -> dict[str, Any]:
        """The story without what differs from run to run."""
        texts = {key: text for text, key in self.keys.items()}
        story = self.story
        return {
            "story": [
                f"{event['from'].split('.')[0]}: {event['text'] or event['type']}"
                for event in story.events
            ],
            "states": {texts[key]: states for key, states in story.states.items() if key in texts},
            "refused": {texts[key]: code for key, code in story.refused.items()},
            "losses": story.losses,
            "pending": [texts[key] for key in story.pending],
            "discarded": {texts[key]: done for key, done in story.discarded.items()},
            "closed": story.closed,
        }

    # -- inside ----------------------------------------------------------------------------------

    async def _ben(self) -> Stranger:
        if self.peer is None:
            self.peer = await Stranger.join(self.node, self.ben, "desk", cursor=0)
        return self.peer

    async def _forget_ben(self) -> None:
        if self.peer is not None:
            self.peer.line.abort()
            self.peer = None

    def _direct(self) -> str:
        return "direct:" + ",".join(sorted((self.ann, self.ben)))

    def _filled(self, value: Any) -> Any:
        names = {"ann": self.ann, "ben": self.ben, "direct": self._direct()}
        return value.format(**names) if isinstance(value, str) else value

    def _give_token(self) -> None:
        self.application.do("token", token=token(self.ann, ttl=self.ttl))
