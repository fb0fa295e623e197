"""What the types of commands cannot say: characters of names, sizes, which fields go together.

Nothing is done for commands that have none of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from hivewire.core import commands as c
from hivewire.core.commands import CommandError, Send
from hivewire.core.limits import (
    DATA_BYTES,
    DEVICE_KEYS_BYTES,
    DEVICE_TOKEN_BYTES,
    EMOJI_BYTES,
    ENDPOINT_BYTES,
    MEDIA_A_MESSAGE,
    MEMBERS_A_COMMAND,
    NAME_BYTES,
    TEXT_BYTES,
    WATCHED_USERS,
)
from hivewire.core.names import is_key, is_name, is_printable, is_target
from hivewire.core.values import problem_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from hivewire.core.commands import Command

_data_json = msgspec.json.Encoder()
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+={0,2}").fullmatch


def check(command: Command) -> Command | CommandError:
    """The command if it is good in itself, else its error."""
    if type(command) is Send:
        return _check_send(command)
    fields = _FIELDS.get(type(command))
    if fields is None:
        return command
    for field, problem in fields:
        value = getattr(command, field)
        if value is None:
            continue
        message = problem(value)
        if message is not None:
            code = "too_large" if message.startswith("is larger") else "bad_request"
            op = str(command.__struct_config__.tag)
            return CommandError(command.id, code, f"`{field}` {message}", field, op)
    return command


def _check_send(command: Send) -> Send | CommandError:
    """Sizes and characters of a message. Short text alone, the usual, takes the short way."""
    if not is_key(command.key):
        return _malformed(command.id, "key")
    text = command.text
    # A character has at most 4 bytes.
    if text and len(text) > TEXT_BYTES // 4 and len(text.encode()) > TEXT_BYTES:
        return _too_large(command.id, "text", TEXT_BYTES)
    if command.data is None and command.media is None and command.mentions is None:
        return command if text else _without_body(command.id)
    return _check_rich_send(command)


def _check_rich_send(command: Send) -> Send | CommandError:
    if command.data is None and not command.text and not command.media:
        return _without_body(command.id)
    for field, names in (("media", command.media), ("mentions", command.mentions)):
        if names is not None and not all(map(is_name, names)):
            return _malformed(command.id, field)
    if command.media and len(command.media) > MEDIA_A_MESSAGE:
        message = f"`media` names more than {MEDIA_A_MESSAGE} uploads"
        return CommandError(command.id, "too_large", message, "media", "send")
    return command if command.data is None else _check_data(command, command.data)


def _check_data(command: Send, data: dict[str, Any]) -> Send | CommandError:
    problem = problem_in(data)
    if problem is not None:
        return CommandError(command.id, "bad_request", f"`data` {problem}", "data", "send")
    if len(_data_json.encode(data)) > DATA_BYTES:
        return _too_large(command.id, "data", DATA_BYTES)
    return command


def _malformed(command_id: int, field: str) -> CommandError:
    return CommandError(command_id, "bad_request", f"`{field}` is malformed", field, "send")


def _too_large(command_id: int, field: str, bound: int) -> CommandError:
    message = f"`{field}` is larger than {bound} bytes"
    return CommandError(command_id, "too_large", message, field, "send")


def _without_body(command_id: int) -> CommandError:
    message = "a message needs `text`, `media` or `data`"
    return CommandError(command_id, "bad_request", message, "text", "send")


def _key(value: str) -> str | None:
    return None if is_key(value) else "is malformed"


def _name(value: str) -> str | None:
    return None if is_name(value) else "is malformed"


def _conv(value: str) -> str | None:
    return None if is_target(value) else "is malformed"


def _text(value: str) -> str | None:
    if not value:
        return "is empty"
    return f"is larger than {TEXT_BYTES} bytes" if len(value.encode()) > TEXT_BYTES else None


def _title(value: str) -> str | None:
    if len(value.encode()) > NAME_BYTES:
        return f"is larger than {NAME_BYTES} bytes"
    return None if is_printable(value) else "has control characters"


def _emoji(value: str) -> str | None:
    if len(value.encode()) > EMOJI_BYTES:
        return f"is larger than {EMOJI_BYTES} bytes"
    return None if value and is_printable(value) else "is malformed"


def _users(bound: int) -> Callable[[list[str]], str | None]:
    def problem(value: list[str]) -> str | None:
        if len(value) > bound:
            return f"is larger than {bound} users"
        return None if all(map(is_name, value)) else "is malformed"

    return problem


def _endpoint(value: str) -> str | None:
    if len(value.encode()) > ENDPOINT_BYTES:
        return f"is larger than {ENDPOINT_BYTES} bytes"
    return None if value and is_printable(value) else "is malformed"


def _device_token(value: str) -> str | None:
    if len(value.encode()) > DEVICE_TOKEN_BYTES:
        return f"is larger than {DEVICE_TOKEN_BYTES} bytes"
    return None if value and is_printable(value) else "is malformed"


def _base64url(size: int) -> Callable[[str], str | None]:
    def problem(value: str) -> str | None:
        # The letters alone: `b64decode` would skip what is none.
        if not _BASE64URL(value) or len(value.rstrip("=")) != -(-size * 4 // 3):
            return f"is not base64url of {size} bytes"
        return None

    return problem


def _device_keys(value: dict[str, Any]) -> str | None:
    problem = problem_in(value)
    if problem is None and len(_data_json.encode(value)) > DEVICE_KEYS_BYTES:
        problem = f"is larger than {DEVICE_KEYS_BYTES} bytes"
    return problem


_members = _users(MEMBERS_A_COMMAND)
_watched = _users(WATCHED_USERS)
_PLACED: Final = (("conv", _conv), ("key", _key))
_FIELDS: Final[dict[type, tuple[tuple[str, Callable[[Any], str | None]], ...]]] = {
    c.Connect: (("device", _name),),
    c.Edit: (*_PLACED, ("text", _text)),
    c.Recall: _PLACED,
    c.React: (*_PLACED, ("emoji", _emoji)),
    c.Read: (("conv", _conv),),
    c.Typing: (("conv", _conv),),
    c.HistoryQuery: (("conv", _conv),),
    c.Open: (("conv", _conv),),
    c.Close: (("conv", _conv),),
    c.GroupCreate: (("key", _key), ("group", _name), ("name", _title), ("members", _members)),
    c.GroupAdd: (*_PLACED, ("members", _members)),
    c.GroupRemove: (*_PLACED, ("members", _members)),
    c.GroupUpdate: (*_PLACED, ("name", _title), ("user", _name)),
    c.GroupLeave: _PLACED,
    c.GroupInfo: (("conv", _conv),),
    c.GroupMembers: (("conv", _conv), ("after", _name)),
    c.Block: (("user", _name),),
    c.Unblock: (("user", _name),),
    c.Outcome: (("key", _key),),
    c.KeysPut: (("device", _name), ("keys", _device_keys)),
    c.KeysGet: (("user", _name),),
    c.Watch: (("users", _watched),),
    c.Unwatch: (("users", _watched),),
    c.PushRegister: (
        *(("endpoint", _endpoint), ("token", _device_token)),
        *(("p256dh", _base64url(65)), ("auth", _base64url(16))),
    ),
}
"""What is checked of each field that is there, in this order."""
