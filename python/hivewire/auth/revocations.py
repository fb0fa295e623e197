"""Since when the tokens of a user count, for the few users whose older ones were revoked.

All of it is in memory, so that nobody else pays for it: a look is one miss in a dict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hivewire.auth.identity import Identity


class Revocations:
    """By user, since when tokens and tickets count (ms since the Unix epoch). Loop thread only."""

    def __init__(self) -> None:
        self._since: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._since)

    def since(self, user: str) -> int:
        """What was issued before this does not count; 0: everything does."""
        return self._since.get(user, 0)

    def refuses(self, identity: Identity) -> bool:
        """Whether an identity is older than its user's revocation."""
        return identity.issued < self._since.get(identity.user, 0)

    def note(self, user: str, since: int) -> None:
        """Older ones of this user count no more. It never goes back."""
        self._since[user] = max(since, self.since(user))

    def forget(self, user: str) -> None:
        """Whatever is that old has expired by itself."""
        self._since.pop(user, None)

    def older_than(self, before: int, limit: int) -> list[str]:
        """Users, `limit` at most, whose revocation is older than `before` (ms)."""
        found: list[str] = []
        for user, since in self._since.items():
            if since < before:
                found.append(user)
                if len(found) == limit:
                    break
        return found
