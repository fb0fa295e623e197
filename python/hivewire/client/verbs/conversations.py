"""Conversations as a user sees them: lists, history, marks, channels. protocol.md section 6."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hivewire.client.results import Conversations, History
from hivewire.client.verbs.asking import Asking

if TYPE_CHECKING:
    from hivewire.client.standing import Standing


class ConversationVerbs(Asking):
    """Look at conversations, mark them as read, write visibly, open channels."""

    standing: Standing

    async def conversations(
        self, *, limit: int | None = None, before: str | None = None, messages: int | None = None
    ) -> Conversations:
        """One's conversations, newest first.

        Args:
            limit: at most 100; a page may hold fewer and not be the last.
            before: the `next` of the page before; None for the first.
            messages: how many of the newest events of each, at most 20.
        """
        answer = await self.ask("conversations", limit=limit, before=before, messages=messages)
        return Conversations.of(answer)

    async def history(
        self,
        conv: str,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> History:
        """Events of a conversation in order of `n`, each message as it is now.

        Args:
            conv: the conversation.
            before: the newest events below this `n`; None, without `after`, for the newest of all.
            after: the oldest events above this `n`.
            limit: at most 200; an answer may hold fewer and not be `done`.
        """
        fields = {"before": before, "after": after, "limit": limit}
        return History.of(await self.ask("history", conv=conv, **fields), conv)

    async def read(self, conv: str, n: int) -> None:
        """Mark everything up to `n` as read, on all of one's devices."""
        await self.ask("read", conv=conv, n=n)

    def typing(self, conv: str, state: Literal["start", "stop"] = "start") -> None:
        """Show the others that one is writing, or no longer; silently nothing while offline."""
        self.say("typing", conv=conv, state=state)

    async def open_channel(self, conv: str) -> int:
        """Have every new event of a channel pushed, on later lines too; gives its newest `n`.

        After a new line a `ChannelHead` push tells how far the channel is by then.
        """
        head: int = (await self.ask("open", conv=conv))["head"]
        self.standing.opened(conv)
        return head

    async def close_channel(self, conv: str) -> None:
        """Have only the channel's newest `n` pushed again."""
        self.standing.closed(conv)
        await self.ask("close", conv=conv)
