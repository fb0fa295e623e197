from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from hivewire.core import commands as c
from hivewire.core.limits import COMMAND_ID, POSITION
from hivewire.handlers import HANDLERS

STRUCTS = [kind for kind in vars(c).values() if isinstance(kind, type(msgspec.Struct))]
VERBS = [kind for kind in STRUCTS if kind.__struct_config__.tag_field == "op"]


def test_every_verb_has_its_type_and_its_handler() -> None:
    assert {kind.__struct_config__.tag for kind in VERBS} == c.OPS
    assert set(VERBS) == set(get_args(c.Command))
    assert set(VERBS) | {c.CommandError} == set(HANDLERS)


def test_what_has_a_key_changes_a_conversation() -> None:
    keyed = {kind for kind in VERBS if "key" in kind.__struct_fields__}
    assert keyed == {c.Send, c.Outcome, *get_args(c.Change)}


@pytest.mark.parametrize("kind", VERBS)
def test_only_these_may_leave_their_id_out(kind: type[msgspec.Struct]) -> None:
    (field,) = [field for field in msgspec.structs.fields(kind) if field.name == "id"]
    assert field.required == (kind not in (c.Ack, c.Read, c.Typing, c.Ping, c.Pong))


def decoded(text: str) -> object:
    return msgspec.json.decode(text, type=c.Command)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (f'{{"op":"ping","id":{COMMAND_ID}}}', True),
        (f'{{"op":"ping","id":{COMMAND_ID + 1}}}', False),
        ('{"op":"ping","id":0}', False),
        (f'{{"op":"ack","seq":{POSITION}}}', True),
        (f'{{"op":"ack","seq":{POSITION + 1}}}', False),
        ('{"op":"ack","seq":0}', True),
        ('{"op":"ack","seq":-1}', False),
        ('{"op":"recall","id":1,"conv":"c","key":"k","n":0}', False),
        ('{"op":"read","conv":"c","n":0}', True),
        ('{"op":"history","id":1,"conv":"c","limit":0}', False),
        ('{"op":"typing","conv":"c","state":"perhaps"}', False),
        ('{"op":"group.create","id":1,"key":"k","kind":"direct"}', False),
        ('{"op":"group.update","id":1,"key":"k","conv":"c","role":"god"}', False),
    ],
)
def test_numbers_and_words_are_bounded(text: str, good: bool) -> None:
    if good:
        decoded(text)
    else:
        with pytest.raises(msgspec.ValidationError):
            decoded(text)


def test_unknown_fields_are_ignored_and_null_is_absent() -> None:
    text = '{"op":"send","id":1,"to":"user:b","key":"k","text":"hi","data":null,"new":[1]}'
    assert decoded(text) == c.Send(1, "user:b", "k", "hi")
