from __future__ import annotations

import pytest

from hivewire.push.endpoints import is_public, matches, problem_of

pytestmark = pytest.mark.unit
HOSTS = ("push.example", "*.notify.example")


@pytest.mark.parametrize(
    "url",
    [
        "https://push.example/a?b=c",
        "https://push.example:443/a",
        "https://PUSH.example/a",
        "https://x.notify.example/a",
        "https://x.y.notify.example/a",
    ],
)
def test_a_push_service_may_be_called(url: str) -> None:
    assert problem_of(url, HOSTS, private=False) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://push.example/a",
        "https://push.example:8443/a",
        "https://push.example:0/a",
        "https://push.example:x/a",
        "https://user@push.example/a",
        "https://push.example/a#b",
        "https://push.example.evil/a",
        "https://evilpush.example/a",
        "https://notify.example/a",
        "https://.notify.example/a",
        "https://evil/?https://push.example",
        "https://push.example@evil/",
        "https://[::1/a",
        "https:///a",
        "ftp://push.example/a",
        "",
    ],
)
def test_nobody_else_may(url: str) -> None:
    assert problem_of(url, HOSTS, private=False) is not None


def test_in_a_closed_network_plain_http_and_ports_will_do_but_not_any_host() -> None:
    assert problem_of("http://push.example:99/a", HOSTS, private=True) is None
    assert problem_of("http://other:99/a", HOSTS, private=True) is not None
    assert problem_of("ftp://push.example/a", HOSTS, private=True) is not None


def test_a_star_is_one_label_or_more() -> None:
    assert not matches(".b.example", "*.b.example")
    assert matches("a.b.example", "*.B.example")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("::ffff:8.8.8.8", True),
        *((address, False) for address in ("127.0.0.1", "10.1.2.3", "192.168.1.1", "::1")),
        *((address, False) for address in ("169.254.169.254", "0.0.0.0", "100.64.0.1")),
        *((address, False) for address in ("::ffff:10.0.0.1", "fe80::1", "fd00::1", "224.0.0.1")),
    ],
)
def test_only_what_is_outside_is_public(address: str, public: bool) -> None:
    assert is_public(address) is public
