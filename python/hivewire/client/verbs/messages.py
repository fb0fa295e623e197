"""Messages and what is done to them: protocol.md section 4, and the changes of section 6."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hivewire.client.objects import Sent, new_key
from hivewire.client.results import Outcome
from hivewire.client.verbs.asking import Asking

if TYPE_CHECKING:
    from collections.abc import Sequence


class MessageVerbs(Asking):
    """Send, edit, recall, react.

    Each change has a `key`, which makes giving the same change again harmless; keep your own if it
    shall survive a restart of the program. `Sent` means: on stable storage.
    """

    async def send(
        self,
        to: str,
        *,
        text: str | None = None,
        media: Sequence[str] | None = None,
        data: dict[str, Any] | None = None,
        reply_to: int | None = None,
        mentions: Sequence[str] | None = None,
        key: str | None = None,
    ) -> Sent:
        """Send a message; at least one of text, media and data.

        Args:
            to: `user:ID` or a conversation's id.
            text: at most 16 KiB.
            media: ids of uploads.
            data: an object of at most 16 KiB as JSON, for applications.
            reply_to: the `n` of the message that this one answers.
            mentions: user ids.
            key: 8 to 64 characters; a fresh one if None.
        """
        fields = {"media": _listed(media), "mentions": _listed(mentions)}
        fields |= {"text": text, "data": data, "reply_to": reply_to}
        return await self._change("send", key, to=to, **fields)

    async def edit(self, conv: str, n: int, text: str, *, key: str | None = None) -> Sent:
        """Give one's own message `n` another text."""
        return await self._change("edit", key, conv=conv, n=n, text=text)

    async def recall(self, conv: str, n: int, *, key: str | None = None) -> Sent:
        """Take message `n` back: one's own, or anybody's for admins of the group."""
        return await self._change("recall", key, conv=conv, n=n)

    async def react(
        self, conv: str, n: int, emoji: str, *, on: bool = True, key: str | None = None
    ) -> Sent:
        """Put an emoji on message `n`, or take it off."""
        return await self._change("react", key, conv=conv, n=n, emoji=emoji, on=on)

    async def outcome(self, key: str) -> Outcome:
        """Did the change with this key get through, and who has it?

        CommandFailed with `not_found` means: not so far. Only the same key settles it.
        """
        return Outcome.of(await self.ask("outcome", key=key))

    async def _change(self, op: str, key: str | None, **fields: object) -> Sent:
        key = key or new_key()
        return Sent.of(await self.ask(op, key=key, **fields), key)


def _listed(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else list(names)
