from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hivewire.config.push import Push as Settings
from hivewire.core.commands import PushRegister
from hivewire.core.entries import Rejection
from hivewire.push.outlook import Job
from hivewire.push.requests import NEEDLESS, NOT_SET_UP, WEBPUSH_BYTES, Requests
from hivewire.push.signing import HEADER, is_signed
from hivewire.push.transport import Request
from hivewire.push.webpush import WebPush
from hivewire.store.pushes import CLEAR, MESSAGE, Push, Registration
from tests.e2e.receiver import Browser, Call
from tests.unit.push.node import PushNode, webhook

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit
SECRET = "s" * 32
NOW = 1_700_000_000
URL = "https://fcm.googleapis.com/x"
HOOKS: dict[str, Any] = {"webhooks": {"mobile": "https://app.example/"}, "webhook_secret": SECRET}


@pytest.fixture
def node() -> PushNode:
    made = PushNode()
    made.say("ann", "bob", "hello")
    return made


def requests(node: PushNode, web: Path | None = None, **settings: Any) -> Requests:
    chosen = Settings(webpush_contact="mailto:a@b.example", **HOOKS | settings)
    webpush = None if web is None else WebPush(chosen, web, lambda: NOW)
    return Requests(chosen, node.driver.store, webpush, lambda: NOW)


def job(registration: Registration, what: int = MESSAGE, n: int = 1) -> Job:
    return Job("bob", "phone", 1, Push(what, 0, 0, 1, "direct:ann,bob", n), registration)


def test_a_webhook_is_signed_with_each_secret(node: PushNode) -> None:
    made = requests(node, webhook_secret_old="o" * 32).of(job(webhook("apns:1")))
    assert isinstance(made, Request)
    assert (made.url, made.guarded, made.gone) == ("https://app.example/", False, {410})
    for secret in (SECRET, "o" * 32):
        assert is_signed(made.body, made.headers[HEADER], secret.encode(), NOW)
    told = msgspec.json.decode(made.body)
    assert (told["token"], told["text"], told["from"]) == ("apns:1", "hello", "ann")


def test_a_message_that_was_taken_back_is_not_pushed(node: PushNode) -> None:
    line = node.driver.lines[1]
    line.says("recall", conv="direct:ann,bob", n=1, key="recall-01")
    node.driver.settle()
    assert requests(node).of(job(webhook())) is NEEDLESS
    assert requests(node).of(job(webhook(), n=9)) is NEEDLESS


def test_what_the_settings_no_longer_have_is_given_up(node: PushNode) -> None:
    assert requests(node, webhooks={}).of(job(webhook())) is NOT_SET_UP
    browser = Browser().subscription(URL)
    subscribed = Registration("webpush", URL, 1, p256dh=browser["p256dh"], auth=browser["auth"])
    assert requests(node).of(job(subscribed)) is NOT_SET_UP


def test_a_browsers_push_always_fits_into_one_record(node: PushNode, tmp_path: Path) -> None:
    node.say("ann", "bob", "\x01" * 3000)
    browser = Browser()
    fields = browser.subscription(URL)
    subscribed = Registration("webpush", URL, 1, p256dh=fields["p256dh"], auth=fields["auth"])
    made = requests(node, tmp_path, text_bytes="3072").of(job(subscribed, n=2))
    assert isinstance(made, Request)
    assert made.headers["Urgency"] == "high"
    assert len(made.body) <= 4096
    headers = {name.lower(): value for name, value in made.headers.items()}
    told = browser.open(Call(0, "/", headers, made.body))
    assert (told["text"], told["cut"]) == ("", True)
    assert WEBPUSH_BYTES == 4096 - 16 - 4 - 1 - 65 - 16 - 1
    clear = requests(node, tmp_path).of(job(subscribed, CLEAR))
    assert isinstance(clear, Request)
    assert clear.headers["Urgency"] == "low"


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"kind": "webhook", "endpoint": "other", "token": "t"}, "forbidden", "endpoint"),
        ({"kind": "webhook", "endpoint": "mobile"}, "bad_request", "token"),
        ({"kind": "webpush", "endpoint": URL, "p256dh": "x"}, "bad_request", "auth"),
        ({"kind": "webpush", "endpoint": URL}, "bad_request", "p256dh"),
        ({"kind": "webpush", "endpoint": URL, "p256dh": "x", "auth": "y"}, "bad_request", "p256dh"),
    ],
)
def test_what_cannot_be_registered(
    node: PushNode, tmp_path: Path, fields: dict[str, str], code: str, field: str
) -> None:
    command = PushRegister(1, **fields)  # type: ignore[arg-type]
    refused = requests(node, tmp_path).registration(command, NOW)
    assert isinstance(refused, Rejection)
    assert (refused.code, refused.field) == (code, field)


def test_what_can_be_registered(node: PushNode, tmp_path: Path) -> None:
    made = requests(node, tmp_path)
    hook = made.registration(PushRegister(1, "webhook", "mobile", "t", auth="x"), NOW)
    assert hook == Registration("webhook", "mobile", NOW, token="t")
    fields = Browser().subscription(URL)
    web = made.registration(PushRegister(1, **fields), NOW)  # type: ignore[arg-type]
    assert web == Registration("webpush", URL, NOW, p256dh=fields["p256dh"], auth=fields["auth"])
    refused = requests(node).registration(PushRegister(1, **fields), NOW)  # type: ignore[arg-type]
    assert isinstance(refused, Rejection)
    assert (refused.code, refused.field) == ("unsupported", "kind")
