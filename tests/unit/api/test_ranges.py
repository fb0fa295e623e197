from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from hivewire.api.ranges import Part, part_of

pytestmark = pytest.mark.unit
ETAG = '"0f"'
ALL = Part(200, 0, 100)
NONE = Part(416, 0, 0)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", Part(206, 0, 1)),
        ("bytes=10-19", Part(206, 10, 20)),
        ("bytes=90-", Part(206, 90, 100)),
        ("bytes=90-1000", Part(206, 90, 100)),
        ("bytes=0-", Part(206, 0, 100)),
        ("bytes=-10", Part(206, 90, 100)),
        ("bytes=-1000", Part(206, 0, 100)),
        ("bytes=99-99", Part(206, 99, 100)),
        ("bytes=100-", NONE),
        ("bytes=100-200", NONE),
        ("bytes=-0", NONE),
        # What is no range is as if there were none.
        ("bytes=20-10", ALL),
        ("bytes=-", ALL),
        ("bytes=a-b", ALL),
        ("lines=1-2", ALL),
        ("bytes=0-1,5-6", ALL),
        (f"bytes=0-{10**30}", ALL),
        ("bytes=٣-٤", ALL),
        ("", ALL),
    ],
)
def test_one_range_is_answered(asked: str, part: Part) -> None:
    # Bytes of a header are Latin-1 for Starlette.
    raw = [(b"range", asked.encode())]
    assert part_of(Headers(raw=raw), ETAG, 100) == part


def test_an_empty_file_has_no_part() -> None:
    assert part_of(Headers({"range": "bytes=0-"}), ETAG, 0) == NONE
    assert part_of(Headers({}), ETAG, 0) == Part(200, 0, 0)


@pytest.mark.parametrize(
    ("tag", "status"), [(ETAG, 206), ('"0e"', 200), ("W/" + ETAG, 200), ("yesterday", 200)]
)
def test_a_part_of_another_file_is_not_asked_for(tag: str, status: int) -> None:
    headers = Headers({"range": "bytes=1-2", "if-range": tag})
    assert part_of(headers, ETAG, 100).status == status


@pytest.mark.parametrize("tags", [ETAG, "W/" + ETAG, '"a", ' + ETAG, "*"])
def test_what_is_there_already_is_not_sent(tags: str) -> None:
    headers = Headers({"range": "bytes=1-2", "if-none-match": tags})
    assert part_of(headers, ETAG, 100) == Part(304, 0, 0)
    assert part_of(Headers({"if-none-match": '"0e"'}), ETAG, 100) == ALL
