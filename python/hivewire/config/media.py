"""Settings of uploads: where they lie, what is taken, how long it stays (docs/media.md)."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads it at run time

from pydantic import SecretStr  # noqa: TC002 - pydantic reads it at run time

from hivewire.config.sections import Names, Section, setting
from hivewire.config.units import Duration, Size  # noqa: TC001 - pydantic reads them


class Media(Section):
    """Pictures, videos and other files that messages name (docs/media.md)."""

    path: Path | None = setting(
        None,
        "The folder of the files, and of uploads that are not complete. Unset: `media` in "
        "`store.path`.",
    )
    max_bytes: Size = setting(
        "50MiB",
        "The largest upload.",
        more="Disk, and lines that are busy for longer.",
        less="Videos of phones no longer fit.",
        ge=1024,
    )
    types: Names = setting(
        ("*/*",),
        "What may be uploaded, comma separated, such as `image/*,video/mp4`. The type is found "
        "from the bytes; what nothing knows is `application/octet-stream`.",
    )
    link_time: Duration = setting(
        "24h",
        "How long a signed link opens a file for whoever has it.",
        more="A link that was passed on works for longer.",
        less="Pages that stay open have to ask for links again.",
        ge=1_000,
    )
    uploads_per_minute: int = setting(
        60,
        "Uploads of one user, twice as many in a burst; 0 = no limit.",
        more="Load that one user can cause.",
        less="Albums take longer to send.",
        ge=0,
    )
    bytes_per_hour: Size = setting(
        "1GiB",
        "Bytes that one user may upload in an hour; 0 = no limit.",
        more="Disk that one user can fill.",
        less="Users of long videos are refused.",
    )
    total: Size = setting(
        0,
        "All files together; then uploads are `unavailable`. 0 = no limit but `keep_free`.",
        more="Disk.",
        less="Uploads are refused earlier.",
    )
    keep_free: Size = setting(
        "1GiB",
        "What uploads leave free on the disk: a full disk would stop the node.",
        more="Uploads are refused earlier.",
        less="Less room for messages when uploads have filled the disk.",
    )
    concurrency: int = setting(
        32,
        "Uploads at once; further ones are `unavailable`.",
        more="Open files, and a disk that is busy.",
        less="Slow lines keep others waiting.",
        ge=1,
    )
    upload_time: Duration = setting(
        "10m",
        "How long one upload may take.",
        more="Slow lines may hold a place for longer.",
        less="Large files on slow lines fail.",
        ge=1_000,
    )
    unused: Duration = setting(
        "24h",
        "How long a file stays that no message names: never sent, or recalled. 0 = for ever.",
        more="Disk.",
        less="Who uploads first and writes later finds his file gone.",
    )
    sweep: Duration = setting(
        "1h",
        "How often everything is looked through for files that nothing names.",
        more="They stay a little longer.",
        less="Folders are read more often.",
        ge=1_000,
    )
    pixels: int = setting(
        64_000_000,
        "The largest picture; one that says it has more is refused before it is unpacked.",
        more="Memory and time for each picture.",
        less="Pictures of good cameras are refused.",
        ge=1,
    )
    thumbnail: int = setting(
        320,
        "Width and height that a thumbnail fits into, in pixels.",
        more="Bytes for each listed picture.",
        less="Coarse previews.",
        ge=16,
        le=2048,
    )
    picture_memory: Size = setting(
        "768MiB",
        "Memory of the process that unpacks pictures; one that takes more is kept as a plain file.",
        more="Memory that a hostile picture can take for a moment.",
        less="Large pictures get no thumbnail.",
        ge=128 << 20,
    )
    picture_time: Duration = setting(
        "10s",
        "How long unpacking a picture may take; then it is kept as a plain file.",
        more="One hostile picture keeps others waiting for longer.",
        less="Large pictures get no thumbnail on slow machines.",
        ge=100,
    )
    s3_bucket: str = setting(
        "",
        "Keep the files in this bucket of an S3-compatible store instead of the folder. Needs "
        "`hivewire[s3]`.",
    )
    s3_prefix: str = setting("", "In front of each object's name, such as `chat/`.")
    s3_endpoint: str = setting("", "URL of the store; empty: that of AWS for the region.")
    s3_region: str = setting("us-east-1", "Region of the bucket.")
    s3_key: str = setting("", "Access key id; empty: found as AWS tools find it.")
    s3_secret: SecretStr | None = setting(None, "The secret of the access key.")
