"""What the person sees in the terminal."""

from __future__ import annotations

import pytest

from hivewire.chat import Screen, printable
from hivewire.client import Event, Line
from hivewire.client.session import Loss

pytestmark = pytest.mark.unit


def event(sender: str, text: str | None, *, conv: str = "direct:ann,ben", seq: int = 1) -> Event:
    body = {"seq": seq, "type": "message", "conv": conv, "n": 1, "from": sender, "ts": 0}
    return Event.of(body | ({"text": text} if text is not None else {"data": {}}))


def shown(capsys: pytest.CaptureFixture[str], *events: Event) -> list[str]:
    screen = Screen("ann", "ben")
    for item in events:
        screen.show(item)
    return [line.split(" ", 1)[-1] for line in capsys.readouterr().out.splitlines()]


def test_own_lines_have_a_tick_and_others_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, event("ann", "hi"), event("ben", "ho")) == ["ann: hi ✓", "ben: ho"]


def test_a_message_without_text_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, event("ben", None)) == ["ben: (no text)"]


def test_other_conversations_are_only_mentioned(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = shown(capsys, event("zoe", "psst", conv="direct:ann,zoe"))
    assert line == "zoe wrote elsewhere (direct:ann,zoe)"


def test_what_others_write_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, event("ben", "a\x1b[2Jb\nc\u202e")) == ["ben: a�[2Jb�c�"]
    assert printable("grüße 👋 日本") == "grüße 👋 日本"


def test_the_line_to_the_node_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen("ann", "ben")
    screen.show_line(Line.ONLINE)
    screen.show_line(Line.OFFLINE)
    screen.typed("later", online=False)
    screen.show_loss(Loss.TRIMMED)
    assert capsys.readouterr().out.splitlines() == [
        "* online as ann, talking to ben (Ctrl-D leaves)",
        "* offline; trying to get back",
        "* waits: later",
        "* events older than the retention are gone",
    ]


def test_the_conversation_is_named_in_byte_order(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen("b", "B")
    screen.show(event("B", "hi", conv="direct:B,b"))
    assert "wrote elsewhere" not in capsys.readouterr().out
