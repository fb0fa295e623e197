"""Flags over environment over file over defaults, and nothing unknown in any of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hivewire.config import ConfigError, Settings, load
from hivewire.config.settings import environment_names

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment_names():
        monkeypatch.delenv(name, raising=False)


def write(path: Path, text: str) -> Path:
    file = path / "hivewire.toml"
    file.write_text(text)
    return file


def test_the_defaults_are_those_of_the_protocol() -> None:
    settings = load()
    assert settings.auth.algorithm == "HS256"
    assert settings.auth.secret is None
    assert settings.limits.max_connections == 50_000
    assert settings.limits.sends_per_second == 20
    assert settings.limits.sends_per_second_user == 100
    assert settings.presence.linger == 20_000
    assert settings.heartbeat.interval == 25_000
    assert settings.edge.address == "127.0.0.1:8000"
    assert settings.api.address == "127.0.0.1:8001"


def test_flags_win_over_environment_over_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(
        tmp_path,
        '[edge]\naddress = "127.0.0.1:1"\n[api]\naddress = "127.0.0.1:1"\n'
        '[heartbeat]\ninterval = "30s"\n',
    )
    monkeypatch.setenv("HIVEWIRE_EDGE__ADDRESS", "127.0.0.1:2")
    monkeypatch.setenv("HIVEWIRE_API__ADDRESS", "127.0.0.1:2")
    settings = load(file, edge={"address": "127.0.0.1:3"}, api={"address": None})
    assert settings.edge.address == "127.0.0.1:3"
    assert settings.api.address == "127.0.0.1:2"
    assert settings.heartbeat.interval == 30_000


def test_file_and_environment_may_share_a_section(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIVEWIRE_LIMITS__MAX_CONNECTIONS", "7")
    settings = load(write(tmp_path, "[limits]\nsends_per_second = 0\n"))
    assert (settings.limits.max_connections, settings.limits.sends_per_second) == (7, 0)


def test_every_setting_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIVEWIRE_STORE__SYNC", "false")
    monkeypatch.setenv("HIVEWIRE_EDGE__ORIGINS", "https://a.example, https://b.example")
    monkeypatch.setenv("HIVEWIRE_AUTH__SECRET", "s" * 32)
    monkeypatch.setenv("HIVEWIRE_PRESENCE__LINGER", "250ms")
    settings = load()
    assert settings.store.sync is False
    assert settings.edge.origins == ("https://a.example", "https://b.example")
    assert settings.auth.secret is not None
    assert settings.auth.secret.get_secret_value() == "s" * 32
    assert settings.presence.linger == 250


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HIVEWIRE_LIMITS__MAX_CONECTIONS", "5"),
        ("HIVEWIRE_LIMIT__MAX_CONNECTIONS", "5"),
        ("HIVEWIRE_LIMITS", "{}"),
        ("HIVEWIRE_SECRET", "x"),
        ("hivewire_edge__adress", "x"),
    ],
)
def test_an_unknown_name_in_the_environment_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=name):
        load()


def test_names_of_test_tools_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIVEWIRE_CHAOS", "before-sync")
    monkeypatch.setenv("HIVEWIRE_TEST_SCALE", "2")
    load()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[limits]\nmax_conections = 5", "limits.max_conections: unknown setting"),
        ("[limit]\nx = 5", "limit: unknown setting"),
        ("[heartbeat]\ninterval = 20", "heartbeat.interval: not a duration"),
        ('[heartbeat]\ninterval = "1h"', "heartbeat.interval: "),
        ('[auth]\nalgorithm = "none"', "auth.algorithm: "),
        ('[limits]\noutbox_total = "0%"', "limits.outbox_total: not a share"),
        ('[limits]\noutbox_soft = "2MiB"', "limits.outbox_soft: above limits.outbox_hard"),
        ('[limits]\npage_bytes = "500KiB"', "limits.page_bytes: a page would not fit"),
        ('[edge]\naddress = "8000"', "edge.address: '8000' is not HOST:PORT"),
        ("[edge\n", "hivewire.toml: "),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    assert problem in str(caught.value)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, "[limits]\na = 1\nb = 2\n"))
    assert len(str(caught.value).splitlines()) == 2


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"/nowhere/x\.toml: No such file"):
        load(Path("/nowhere/x.toml"))


def test_a_wrong_flag_is_named() -> None:
    with pytest.raises(ConfigError, match=r"limits\.devices: "):
        load(limits={"devices": 0})


@pytest.mark.parametrize("section", ["edge", "api"])
def test_a_plain_listener_beyond_loopback_must_be_asked_for(section: str) -> None:
    with pytest.raises(ConfigError, match=f"{section}.insecure"):
        load(**{section: {"address": "0.0.0.0:8000"}})
    settings = load(**{section: {"address": "0.0.0.0:8000", "insecure": True}})
    assert getattr(settings, section).address == "0.0.0.0:8000"


def test_secrets_do_not_show() -> None:
    settings = load(auth={"secret": "very secret"}, api={"key": "very secret"})
    assert "very secret" not in repr(settings)


def test_settings_do_not_change() -> None:
    settings = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.limits.devices = 3
    with pytest.raises(ValueError, match="frozen"):
        settings.limits = settings.limits


def test_the_node_is_named_after_the_host_unless_told() -> None:
    assert load().node.name
    assert load(node={"name": "a1"}).node.name == "a1"
    assert isinstance(load(), Settings)


def test_certificate_and_key_go_together() -> None:
    with pytest.raises(ConfigError, match="one goes with the other"):
        load(edge={"tls_cert": "node.crt"})
    assert load().edge.tls is None
    tls = load(edge={"tls_cert": "node.crt", "tls_key": "node.key"}).edge.tls
    assert tls == ("node.crt", "node.key")


def test_a_listener_with_tls_may_be_anywhere_and_a_plain_one_may_not() -> None:
    with pytest.raises(ConfigError, match="is not loopback"):
        load(edge={"address": "0.0.0.0:8000"})
    load(edge={"address": "0.0.0.0:8443", "tls_cert": "node.crt", "tls_key": "node.key"})
    with pytest.raises(ConfigError, match=r"api\.address"):
        load(
            edge={"tls_cert": "node.crt", "tls_key": "node.key"},
            api={"address": "0.0.0.0:8001"},
        )


def test_with_dev_pages_of_the_api_listener_may_connect_unless_origins_are_set() -> None:
    plain = load()
    assert (plain.dev, plain.edge.origins) == (False, ())
    assert (plain.developed().dev, plain.developed().edge.origins) == (True, ("*",))
    kept = load(edge={"origins": ["https://chat.example"]}).developed()
    assert kept.edge.origins == ("https://chat.example",)


def test_no_variable_makes_a_node_one_for_development(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIVEWIRE_DEV", "true")
    with pytest.raises(ConfigError):
        load()
