"""What all questions share: they are answered from the store, when all that was written is durable.

So an answer shows nothing that could still be lost (I2), and everything that was answered before.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hivewire.core.log import Log
from hivewire.core.names import parse_direct
from hivewire.core.plan import not_yours
from hivewire.core.unread import OutOfBudget
from hivewire.delivery import encode
from hivewire.handlers.errors import NOT_CONNECTED, refuse
from hivewire.store import keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.core.entries import Rejection
    from hivewire.delivery import Caller
    from hivewire.handlers.services import Services


def ask(
    command: Any,  # noqa: ANN401 - any command with an `id`
    caller: Caller,
    services: Services,
    answer: Callable[[str], dict[str, Any] | Rejection],
) -> None:
    """Work out the answer for this user once everything that was written is durable."""
    user, op = caller.user, str(command.__struct_config__.tag)
    if user is None:
        refuse(NOT_CONNECTED, command.id, op, caller, services)
        return

    def tell() -> None:
        found = answer(user)
        caller.busy = False
        if isinstance(found, dict):
            services.metrics.commands[op, "ok"] += 1
            payload = encode(caller.encoding, found)
            caller.weight += len(payload)
            services.delivery.now.append((services.delivery.ops.send, caller.conn, payload))
        else:
            refuse(found, command.id, op, caller, services)
        services.resume(caller)

    # The next command waits: answers may be large, and who does not read them gets no more.
    caller.busy = True
    services.delivery.marks()
    services.delivery.when_durable(partial(in_pieces, tell, services))


def in_pieces(answer: Callable[[], None], services: Services) -> None:
    """Call `answer`; if that is too much for one turn, let everybody else run and go on then.

    It changes nothing before it knows all that it has to tell: it is called again.
    """
    try:
        answer()
    except OutOfBudget as more:
        services.later(partial(_go_on, more.work, answer, services))


def _go_on(work: Callable[[], object], answer: Callable[[], None], services: Services) -> None:
    try:
        work()
    except OutOfBudget as more:
        services.later(partial(_go_on, more.work, answer, services))
    else:
        in_pieces(answer, services)


def readable(conv: str, user: str, services: Services) -> Log | Rejection:
    """What a user may read of a conversation, as the store has it."""
    store, prefix = services.view.store, keys.prefix(conv)
    state = services.view.conversation(conv)
    if state is None:
        return not_yours("conv")
    direct = parse_direct(conv)
    if direct is not None:
        mine = user in direct.members
        return Log(prefix, 1, state.durable) if mine else not_yours("conv")
    value = store.get(store.columns.members, prefix + user.encode())
    if value is None:
        return not_yours("conv")
    joined = state.history == keys.HISTORY_JOINED
    since = keys.parse_member_value(value).since if joined else 0
    return Log(prefix, since + 1, state.durable)
