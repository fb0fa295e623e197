"""The table of `hivewire why`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console

from hivewire.why import lines, passed, picture, show

if TYPE_CHECKING:
    import pytest

AT = 1_763_800_000_000.0


def device(name: str, state: str, at: float | None = None, **more: Any) -> dict[str, Any]:
    ended = more.pop("ended_at", None)
    reached = {"state": state, "at": at and AT + at, "ended_at": ended}
    told = {"device": name, "connected": True, "cursor": 3, "acked": False, "acked_at": None}
    return told | {"reached": reached} | more


def answer(**more: Any) -> dict[str, Any]:
    steps = {"received": -0.5, "accepted": 0.0, "written": 0.1, "synced": 1.0, "queued": 1.1}
    phone = device("phone", "written", 1.3, acked=True, acked_at=AT + 5)
    bob = {"user": "bob", "delivered": True, "read": False, "delivered_at": AT + 5, "read_at": None}
    held = {"step": "held", "device": None, "at": AT + 1.0, "detail": ""}
    gone = {"step": "cancelled", "device": None, "at": AT + 3000, "detail": "it was read"}
    whole = {
        "conv": "direct:ann,bob",
        "n": 7,
        "type": "message",
        "from": "ann",
        "ts": AT,
        "device": "web",
        "remembered": True,
        "steps": [{"step": step, "at": AT + at} for step, at in steps.items()],
        "own_devices": [device("web", "written", 1.2)],
        "recipients": [
            bob | {"devices": [phone, device("tv", "not_connected")], "pushes": [held, gone]}
        ],
    }
    return whole | more


def steps(told: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(line.step, line.user, line.device) for line in lines(told)]


def test_steps_are_told_in_order_of_time_and_then_what_has_none() -> None:
    assert steps(answer()) == [
        ("received", "", ""),
        ("accepted", "", ""),
        ("written", "", ""),
        ("synced", "", ""),
        ("push held", "bob", ""),
        ("queued", "", ""),
        ("answered", "ann", "web"),
        ("written", "bob", "phone"),
        ("acknowledged", "bob", "phone"),
        ("delivered", "bob", ""),
        ("push cancelled", "bob", ""),
        ("not connected", "bob", "tv"),
        ("not acknowledged", "bob", "tv"),
        ("not read", "bob", ""),
    ]


def test_the_states_of_a_device() -> None:
    def own(told: dict[str, Any]) -> list[tuple[str, str, str]]:
        return [step for step in steps(answer(recipients=[], own_devices=[told])) if step[2]]

    ended = device("tv", "lost", 4.0, ended_at=AT + 9)
    assert [step[0] for step in own(ended)] == ["lost", "line ended", "not acknowledged"]
    assert [step[0] for step in own(device("tv", "begins_later"))] == ["begins later"]
    assert [step[0] for step in own(device("tv", "page", 8.0))] == ["written", "not acknowledged"]
    (forgotten,) = [line for line in lines(answer(recipients=[])) if line.step == "answered"]
    assert forgotten.at is not None
    unknown = lines(answer(recipients=[], own_devices=[device("web", "written")]))
    assert unknown[-1].what.endswith("the time is forgotten")


def test_what_is_forgotten_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    tv = device("tv", "", acked=True) | {"reached": None}
    bob = answer()["recipients"][0] | {"devices": [tv], "pushes": [], "delivered_at": None}
    told = answer(remembered=False, steps=[], own_devices=[], recipients=[bob])
    assert steps(told) == [
        ("acknowledged", "bob", "tv"),
        ("delivered", "bob", ""),
        ("not read", "bob", ""),
    ]
    show(msgspec.json.encode(told).decode())
    assert "are forgotten" in capsys.readouterr().out


def test_the_table_is_whole_in_a_terminal_of_any_width() -> None:
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    with console.file:
        console.print(picture(answer()))
        text = console.export_text()
    for words in ("message 7 of direct:ann,bob, from ann with web", "+1.3 ms", "-0.5 ms", "+3.0 s"):
        assert words in text
    assert "Nobody else" not in text


def test_times_read_well() -> None:
    assert [passed(ms) for ms in (-0.24, 0, 999.9, 1500, 700_000)] == [
        *("-0.2 ms", "+0.0 ms", "+999.9 ms", "+1.5 s", "+12 min")
    ]
