from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hivewire.config import ConfigError, load
from hivewire.config.push import Push, problems

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit
SECRET = "s" * 32
HOOK = {"webhooks": {"mobile": "https://a.example/x"}, "webhook_secret": SECRET}


def test_a_node_pushes_only_if_told_to() -> None:
    assert not Push().is_on
    assert Push(**HOOK).is_on
    assert Push(webpush=True).is_on


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"webhooks": {"a": "ftp://x/"}, "webhook_secret": SECRET}, "push.webhooks"),
        ({"webhooks": {"": "https://x/"}, "webhook_secret": SECRET}, "push.webhooks"),
        ({"webhooks": {"a": "x"}, "webhook_secret": SECRET}, "push.webhooks"),
        ({"webhooks": {"a": "https://x/"}}, "push.webhook_secret"),
        (HOOK | {"webhook_secret": "short"}, "push.webhook_secret"),
        (HOOK | {"webhook_secret_old": "short"}, "push.webhook_secret_old"),
        ({"webpush": True}, "push.webpush_contact"),
        ({"webpush": True, "webpush_contact": "ops@x.example"}, "push.webpush_contact"),
    ],
)
def test_what_cannot_work_is_told(fields: dict[str, Any], problem: str) -> None:
    (found,) = problems(Push(**fields))
    assert found.startswith(problem)


def test_what_can_work_is_right() -> None:
    assert problems(Push(**HOOK, webpush=True, webpush_contact="mailto:ops@x.example")) == []


def test_the_environment_has_names_and_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIVEWIRE_PUSH__WEBHOOKS", "a=https://a/?b=c, d=http://e")
    with pytest.raises(ConfigError, match="webhook_secret"):
        load()
    monkeypatch.setenv("HIVEWIRE_PUSH__WEBHOOK_SECRET", SECRET)
    assert load().push.webhooks == {"a": "https://a/?b=c", "d": "http://e"}


def test_the_file_has_a_table(tmp_path: Path) -> None:
    file = tmp_path / "hivewire.toml"
    file.write_text(
        f'[push]\nwebhook_secret = "{SECRET}"\nwebhooks = {{ mobile = "https://a/" }}\n'
        'webpush_hosts = ["push.example"]\n'
    )
    push = load(file).push
    assert (push.webhooks, push.webpush_hosts) == ({"mobile": "https://a/"}, ("push.example",))
