"""The settings of uploads."""

from __future__ import annotations

import pytest

from hivewire.config import ConfigError, load
from hivewire.config.media import Media

pytestmark = pytest.mark.unit


def test_what_users_may_rely_on() -> None:
    media = Media()
    assert media.max_bytes == 50 << 20
    assert media.types == ("*/*",)
    assert media.link_time == media.unused == 24 * 3_600_000
    assert media.path is None
    assert not media.s3_bucket


def test_a_list_of_types_and_a_secret_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HIVEWIRE_MEDIA__TYPES", "image/*, video/mp4")
    monkeypatch.setenv("HIVEWIRE_MEDIA__S3_SECRET", "hush")
    media = load().media
    assert media.types == ("image/*", "video/mp4")
    assert "hush" not in repr(media)


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_bytes", 0), ("thumbnail", 4000), ("picture_memory", "1MiB"), ("concurrency", 0)],
)
def test_what_cannot_work_is_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"media\.{name}"):
        load(media={name: value})
