from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from hivewire.media.links import ROUND_MS, Links

pytestmark = pytest.mark.unit
HOUR = 3_600_000
NOW = 500_000 * HOUR + 1234
MEDIA = "0f" * 32


def split(link: str) -> tuple[str, str, str]:
    parts = urlsplit(link)
    query = dict(parse_qsl(parts.query))
    return parts.path, query["expires"], query["signature"]


@pytest.fixture
def links() -> Links:
    return Links(bytes(32), 24 * HOUR)


def test_a_link_opens_its_file_until_it_expires(links: Links) -> None:
    path, expires, signature = split(links.path(MEDIA, NOW))
    assert path == f"/api/v1/media/{MEDIA}"
    end = int(expires) * 1000
    assert 24 * HOUR < end - NOW <= 24 * HOUR + ROUND_MS
    assert links.opens(path, expires, signature, NOW)
    assert links.opens(path, expires, signature, end - 1)
    assert not links.opens(path, expires, signature, end)


def test_links_of_an_hour_are_the_same(links: Links) -> None:
    assert links.path(MEDIA, NOW) == links.path(MEDIA, NOW + HOUR // 2)
    assert links.path(MEDIA, NOW) != links.path(MEDIA, NOW + HOUR)


def test_it_opens_nothing_else(links: Links) -> None:
    path, expires, signature = split(links.path(MEDIA, NOW))
    small = links.path(MEDIA, NOW, thumbnail=True)
    assert split(small)[0] == f"{path}/thumbnail"
    for wrong in (
        (split(small)[0], expires, signature),
        (path.replace("0f", "0e", 1), expires, signature),
        (path, str(int(expires) + 1), signature),
        (path, expires, signature[:-1]),
        (path, expires, "é" + signature),
        (path, "", signature),
        (path, "-1", signature),
        (path, "9" * 40, signature),
        (path, "٣", signature),
    ):
        assert not links.opens(*wrong, NOW), wrong


def test_another_node_s_secret_signs_nothing_here(links: Links) -> None:
    assert not links.opens(*split(Links(bytes(31) + b"x", 24 * HOUR).path(MEDIA, NOW)), NOW)


def test_a_short_time_is_kept_as_it_is() -> None:
    links = Links(bytes(32), 2_000)
    path, expires, signature = split(links.path(MEDIA, NOW))
    assert 2_000 < int(expires) * 1000 - NOW <= 4_000
    assert links.opens(path, expires, signature, NOW + 2_000)
