"""An application that judges messages: `on_send` has the word between two plans.

The first plan, of what the client sent, looks at key, membership and limits; only what is new and
good goes to the application. The second, of what the application made of it, takes the places. Both
carry the digest of what the client sent, so a resend is compared with that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from hivewire.core.commands import CommandError, Edit, Outcome, Send
from hivewire.handlers.errors import refuse
from hivewire.hooks.sender import checked
from hivewire.hooks.values import Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services
    from hivewire.hooks.bridge import Bridge
    from hivewire.hooks.runner import Outcome as Word

Screened = TypeVar("Screened", Send, Edit)
Keyed = TypeVar("Keyed", Send, Edit, Outcome)


def waits(
    hooks: Bridge,
    command: Keyed,
    caller: Caller,
    services: Services,
    again: Callable[[Keyed, Caller, Services], None],
) -> bool:
    """Whether the application has this key in hand; then the command waits, and is done `again`."""
    waiting = None if caller.user is None else hooks.in_hand.get((caller.user, command.key))
    if waiting is None:
        return False

    def go_on() -> None:
        caller.busy = False
        again(command, caller, services)
        if not caller.busy:
            services.resume(caller)

    caller.busy = True
    waiting.append(go_on)
    return True


def screen(
    hooks: Bridge,
    command: Screened,
    conv: str,
    caller: Caller,
    services: Services,
    store: Callable[[Screened], None],
) -> None:
    """Ask the application about a new message; `store` gets what it made of it.

    The connection's next command waits until it is settled, and so does the same key of this user
    on any other connection.
    """
    op = "send" if isinstance(command, Send) else "edit"
    user, in_hand = str(caller.user), hooks.in_hand

    def settled(word: Word) -> None:
        caller.busy = False
        changed = None if word.rejection else revised(command, word.value)
        if isinstance(changed, CommandError):
            why = f"what it made of a message is wrong: {changed.message}"
            word = hooks.fail("on_send", why, message, caller)
        if word.rejection is not None:
            refuse(word.rejection, command.id, op, caller, services)
        elif changed is not None and not isinstance(changed, CommandError):
            store(changed)
        waiting = in_hand.pop((user, command.key))
        if not caller.busy:
            services.resume(caller)
        for go_on in waiting:
            go_on()

    caller.busy = True
    in_hand[user, command.key] = []
    message = message_of(command, conv, caller, hooks)
    hooks.screen(message, settled, caller)


def message_of(command: Send | Edit, conv: str, caller: Caller, hooks: Bridge) -> Message:
    """A command as the application sees it."""
    user, device = str(caller.user), str(caller.device)
    message = Message(user, device, conv, command.key, command.text)
    message.session = hooks.session(caller.conn)
    if isinstance(command, Edit):
        message.edit_of = command.n
    else:
        message.media, message.data = command.media, command.data
        message.reply_to, message.mentions = command.reply_to, command.mentions
    return message


def revised(command: Screened, message: Message) -> Screened | CommandError:
    """The command with what the application made of its body, held to what a client's is."""
    kept = {"id": command.id, "key": command.key, "text": message.text}
    if isinstance(command, Edit):
        return checked(Edit, kept | {"conv": command.conv, "n": command.n})
    kept |= {"to": command.to, "reply_to": command.reply_to}
    body = {"media": message.media, "data": message.data, "mentions": message.mentions}
    return checked(Send, kept | body)
