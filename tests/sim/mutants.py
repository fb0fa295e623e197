"""Bugs planted into the product in this process: what a simulation of groups must catch.

Each takes pytest's `monkeypatch`, so that it ends with its test. Those of `tests.chaos.mutants` are
planted into processes and are caught here as well; see `test_mutants`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hivewire import foundation
from hivewire.core import apply_change, listing, unread
from hivewire.core import entries as e
from hivewire.core.log import Log
from hivewire.core.marks import Covered, Marks
from hivewire.core.newest import Newest
from hivewire.core.overlay import Overlay
from hivewire.core.tails import Tails
from hivewire.core.unread import Unread
from hivewire.delivery.heads import Heads
from hivewire.handlers import history
from hivewire.store import keys
from hivewire.store.journal import Group

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from hivewire.core.view import View


def removed_member_still_receives(patch: pytest.MonkeyPatch) -> None:
    """The list of members in memory is not what the rows say."""
    drop = apply_change._EFFECTS[e.DropMember]

    def forget(effect: Any, entry: Any, view: Any, batch: Any, applied: Any) -> None:
        state = view.existing(entry.conv)
        before = state.members
        drop(effect, entry, view, batch, applied)
        state.members = before

    patch.setitem(apply_change._EFFECTS, e.DropMember, forget)


def new_member_misses_his_joining(patch: pytest.MonkeyPatch) -> None:
    """An event goes to those who were there before it, not to those whom it adds."""
    plan_add = apply_change.apply_change

    def without(entry: Any, view: Any, batch: Any) -> Any:
        if entry.op == keys.OP_ADD:
            known = view.existing(entry.conv).members
            for part in entry.parts:
                part.members = tuple(place for place in part.members if place[0] in known)
        return plan_add(entry, view, batch)

    patch.setattr("hivewire.delivery.delivery.apply_change", without)


def unread_counts_the_recalled(patch: pytest.MonkeyPatch) -> None:
    """A message whose words are gone still counts."""
    patch.setattr(unread, "_RECALLED", b"\xff")


def mark_goes_back(patch: pytest.MonkeyPatch) -> None:
    """A `read` sets the mark, wherever it was."""

    def move(
        self: Marks, conv: str, user: str, delivered: int, read: int, authors: frozenset[str]
    ) -> bool:
        before = self.load(conv, user)
        mark = e.MarkEntry(user, conv, max(delivered, before.delivered), read or before.read)
        self._moved[conv, user] = Covered(mark, authors)
        return True

    patch.setattr(Marks, "move", move)


def joined_sees_what_was_before(patch: pytest.MonkeyPatch) -> None:
    """`history: joined` is forgotten when a history is read."""
    readable = history.readable

    def all_of_it(*arguments: Any) -> Any:
        log = readable(*arguments)
        return log._replace(first=1) if isinstance(log, Log) else log

    patch.setattr(history, "readable", all_of_it)


def recall_keeps_the_words(patch: pytest.MonkeyPatch) -> None:
    """The message is marked as recalled, its row stays as it was."""
    patch.setitem(apply_change._EFFECTS, e.Rewrite, lambda *_: None)


def reactions_of_one_group_are_lost(patch: pytest.MonkeyPatch) -> None:
    """What is on its way to the disk is not looked at: two changes of a message lose one."""
    patch.setattr(
        Overlay,
        "get",
        lambda self, column, key: self._store.get(getattr(self._store.columns, column), key),
    )


def heads_are_told_once(patch: pytest.MonkeyPatch) -> None:
    """The newest head of a channel is not told, if it comes while another is gathered."""
    take = Heads.take

    def stale(self: Heads, *, with_twin: bool) -> Any:
        return take(self, with_twin=with_twin)[:0]

    patch.setattr(Heads, "take", stale)


def left_conversations_are_listed(patch: pytest.MonkeyPatch) -> None:
    """`conversations` goes by a list of its own."""
    conversations_of = listing.conversations_of

    def all_ever(view: View, user: str, *rest: Any) -> list[Any]:
        mine = vars(view.store).setdefault("ever", {}).setdefault(user, {})
        mine.update({one.conv: one for one in conversations_of(view, user, *rest)})
        return list(mine.values())

    patch.setattr(listing, "conversations_of", all_ever)


def kept_histories_do_not_change(patch: pytest.MonkeyPatch) -> None:
    """What is kept of a conversation in memory does not hear of edits and recalls."""
    patch.setattr(Tails, "forget", lambda *_: None)


def kept_counts_do_not_change(patch: pytest.MonkeyPatch) -> None:
    """What was counted as unread stays so when it is recalled."""
    patch.setattr(Unread, "forget", lambda *_: None)


def kept_heads_do_not_move(patch: pytest.MonkeyPatch) -> None:
    """A conversation that was listed is listed with the same head again."""
    patch.setattr(Newest, "release", lambda *_: None)


def gathered_is_not_carried_out(patch: pytest.MonkeyPatch) -> None:
    """A start does not look at what the run before it had gathered."""
    patch.setattr(foundation, "carry_out", lambda _: None)


def written_while_answers_are_read(patch: pytest.MonkeyPatch) -> None:
    """The committer goes on although the group before has answers that are still to be read."""
    patch.setattr(Group, "reads", property(lambda _: False, lambda *_: None))


MUTANTS: dict[Callable[[pytest.MonkeyPatch], None], set[str]] = {
    removed_member_still_receives: {"only_receivers_have_it"},
    new_member_misses_his_joining: {"everybody_has_it"},
    unread_counts_the_recalled: {"unread_is_countable"},
    mark_goes_back: {"marks_rise", "reads_stay"},
    joined_sees_what_was_before: {"only_members_read", "history_is_whole"},
    recall_keeps_the_words: {"state_is_what_happened"},
    reactions_of_one_group_are_lost: {"state_is_what_happened", "on_disk"},
    heads_are_told_once: {"heads_arrive"},
    left_conversations_are_listed: {"listings_are_true"},
    kept_histories_do_not_change: {"state_is_never_older", "state_is_what_happened"},
    kept_counts_do_not_change: {"unread_is_countable"},
    kept_heads_do_not_move: {"unread_is_countable"},
    gathered_is_not_carried_out: {"answered_is_durable", "everybody_has_it"},
}
"""By which rules each must be caught, one of them at least."""
BUSY_MUTANTS: dict[Callable[[pytest.MonkeyPatch], None], set[str]] = {
    written_while_answers_are_read: {"group_answers_are_true", "marks_rise"},
}
"""The same where one commit follows the other."""
