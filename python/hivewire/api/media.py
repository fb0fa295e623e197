"""Uploads over HTTP: in as they come, out in parts, and never run by a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import structlog
from msgspec import Meta, Struct
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse

from hivewire.api.endpoint import Asked, Endpoint, Who
from hivewire.api.errors import ApiError
from hivewire.api.multipart import boundary_of, file_in
from hivewire.api.ranges import part_of
from hivewire.log import REQUEST
from hivewire.media import Refused, refusals
from hivewire.media.blobs import THUMBNAIL, BlobsBroken, Missing
from hivewire.media.kinds import is_shown
from hivewire.media.links import PATH

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

    from starlette.requests import Request

    from hivewire.api.context import Context
    from hivewire.core.media import Upload
    from hivewire.media import Incoming, Media

log = structlog.get_logger(__name__)

GUARDS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
}
"""What keeps a browser from running a file of a stranger in our name, whatever is in it."""
CACHE: Final = "private, max-age=31536000, immutable"
"""The name is the hash of the bytes: what was fetched once never changes."""
LINGER_BYTES: Final = 256 << 20
LINGER_MS: Final = 5_000
"""So much of a refused body is read and thrown away, so that the client gets to the answer."""
NO_SUCH: Final = ApiError("not_found", "there is no such upload")


class Uploaded(Struct):
    """A file that is on stable storage. The links open it for whoever has them, for a while."""

    id: str
    url: str
    thumbnail_url: str | None
    mime: str
    bytes: int
    width: int | None
    height: int | None


class Link(Struct):
    """What a signed link carries; without it the user's token is asked for."""

    expires: Annotated[str, Meta(description="Seconds since the Unix epoch.")] | None = None
    signature: str | None = None


def endpoints(context: Context) -> list[Endpoint]:
    """In and out."""
    media = context.media

    async def upload(asked: Asked) -> Uploaded:
        return told(await take(asked, media), media)

    async def link(asked: Asked) -> Uploaded:
        return told(await find(asked.request.path_params["id"], media), media)

    async def read(asked: Asked) -> Response:
        return await give(asked, context, small=False)

    async def thumbnail(asked: Asked) -> Response:
        return await give(asked, context, small=True)

    return [
        Endpoint(
            *("POST", PATH, "Upload a file, as multipart/form-data or as it is.", upload, Who.USER),
            gives=Uploaded,
            refuses=("bad_request", "too_large"),
            statuses={408: refusals.too_slow().message, 415: "This type of file is not taken."},
            raw_body=True,
        ),
        Endpoint(
            *("GET", f"{PATH}/{{id}}/link", "Fresh links to a file.", link, Who.USER),
            gives=Uploaded,
            refuses=("not_found",),
        ),
        *(
            Endpoint(
                *("GET", f"{PATH}/{{id}}{suffix}", summary, handle, Who.ANYONE, Link),
                refuses=("unauthorized", "forbidden", "not_found", "unavailable"),
                statuses={206: "A part of it.", 304: "You have it.", 416: "No such part."},
                media_type="*/*",
            )
            for suffix, summary, handle in (
                ("", "The bytes of a file as they were uploaded.", read),
                ("/thumbnail", "A picture made small, as WebP.", thumbnail),
            )
        ),
    ]


# -- in -------------------------------------------------------------------------------------------


async def take(asked: Asked, media: Media) -> Upload:
    """Take the body of a request as it comes. Raises ApiError; then nothing is left of it."""
    request = asked.request
    boundary = boundary_of(request.headers.get("content-type", ""))
    length = request.headers.get("content-length")
    # Of a multipart body the file is a part: its own length is seen when it has come.
    known = int(length) if length is not None and boundary is None else None
    try:
        incoming = media.begin(asked.user, known)
    except Refused as refused:
        await throw_away(request, media)
        raise error_of(refused) from None
    try:
        async with media.in_time():
            await fill(incoming, request.stream(), boundary)
    except BaseException as error:  # noqa: BLE001 - raised again, when nothing is left of it
        await media.abandon(incoming)
        if isinstance(error, Refused | ApiError):
            await throw_away(request, media)
        raise error_in(error) from None
    try:
        return await media.finish(incoming)
    except Refused as refused:
        raise error_of(refused) from None


async def fill(incoming: Incoming, body: AsyncIterable[bytes], boundary: bytes | None) -> None:
    """Write a body, or the file in it."""
    async for chunk in body if boundary is None else file_in(body, boundary):
        await incoming.write(chunk)


async def throw_away(request: Request, media: Media) -> None:
    """Read on for a moment: who is still sending would not look for an answer otherwise.

    Who asks before he sends is told at once.
    """
    if "expect" in request.headers or media.is_going:
        return
    count = 0
    try:
        async with media.in_time(LINGER_MS):
            async for chunk in request.stream():
                count += len(chunk)
                if count > LINGER_BYTES:
                    return
    except (Refused, ClientDisconnect, RuntimeError):
        return


def error_in(error: BaseException) -> BaseException:
    """What a body that could not be taken comes to."""
    if isinstance(error, Refused):
        return error_of(error)
    if isinstance(error, ClientDisconnect):
        return ApiError("bad_request", "the body ended early")
    if isinstance(error, OSError):
        log.warning("an upload could not be written", request=REQUEST.get(), error=str(error))
        return error_of(refusals.full())
    return error


def error_of(refused: Refused) -> ApiError:
    """A refusal as the api tells it."""
    wait = refused.retry_after
    return ApiError(
        refused.code,
        refused.message,
        retryable=refused.retryable,
        retry_after_ms=None if wait is None else wait * 1000,
        status=refused.status,
    )


def told(upload: Upload, media: Media) -> Uploaded:
    """An upload as its answer."""
    now, links = media.now_ms(), media.links
    small = links.path(upload.id, now, thumbnail=True) if upload.thumbnail else None
    return Uploaded(
        upload.id,
        links.path(upload.id, now),
        small,
        upload.mime,
        upload.bytes,
        upload.width,
        upload.height,
    )


async def store(media: Media, user: str, data: bytes) -> str:
    """A file that came inside of something else; its id. Raises ApiError."""
    try:
        return (await media.accept_bytes(user, data)).id
    except Refused as refused:
        raise error_of(refused) from None


# -- out ------------------------------------------------------------------------------------------


async def find(name: str, media: Media) -> Upload:
    """An upload by what a path says. Raises ApiError (404)."""
    try:
        upload = await media.find(name) if is_id(name) else None
    except Refused as refused:
        raise error_of(refused) from None
    if upload is None:
        raise NO_SUCH
    return upload


def is_id(name: str) -> bool:
    """Whether it can be the id of an upload: nothing else comes near the store."""
    return len(name) == 64 and not name.strip("0123456789abcdef")


async def give(asked: Asked, context: Context, *, small: bool) -> Response:
    """A file, or its thumbnail, for who has a signed link or a token. Raises ApiError."""
    request, media = asked.request, context.media
    await may_read(asked.values, request, context)
    upload = await find(request.path_params["id"], media)
    if small and not upload.thumbnail:
        raise NO_SUCH
    name = upload.id + THUMBNAIL if small else upload.id
    try:
        size = await media.blobs.size(name) if small else upload.bytes
        return await answer(request, media, name, size, "image/webp" if small else upload.mime)
    except Missing:
        log.warning("the bytes of an upload are not there", request=REQUEST.get(), upload=upload.id)
        raise NO_SUCH from None
    except BlobsBroken as error:
        about = {"request": REQUEST.get(), "upload": upload.id}
        log.warning("an upload cannot be read", **about, error=str(error))
        raise ApiError("unavailable", "it cannot be read now", retryable=True) from None


async def may_read(link: Link, request: Request, context: Context) -> None:
    """A good link is enough; else whoever is somebody may read what he knows the id of."""
    if link.expires is not None and link.signature is not None:
        opens, now = context.media.links.opens, context.media.now_ms()
        if opens(request.url.path, link.expires, link.signature, now):
            return
        if "authorization" not in request.headers:
            raise ApiError("forbidden", "the link is not good, or no longer")
    await context.access.user(request.headers)


async def answer(request: Request, media: Media, name: str, size: int, mime: str) -> Response:
    """The response to a GET or HEAD. The first bytes are there before it says that all is well."""
    etag = f'"{name}"'
    part = part_of(request.headers, etag, size)
    headers = {**GUARDS, "ETag": etag, "Cache-Control": CACHE, "Accept-Ranges": "bytes"}
    if part.status == 416:
        range_error = {**GUARDS, "Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}
        return Response(status_code=416, headers=range_error)
    if part.status == 304:
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = (
        "inline" if is_shown(mime) else f'attachment; filename="{name[:16]}"'
    )
    headers["Content-Type"] = mime
    headers["Content-Length"] = str(part.end - part.start)
    if part.status == 206:
        headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{size}"
    if request.method == "HEAD":
        return Response(status_code=part.status, headers=headers)
    chunks = media.read(name, part.start, part.end)
    first = await anext(chunks, b"")
    return StreamingResponse(after(first, chunks), status_code=part.status, headers=headers)


async def after(first: bytes, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """A chunk that is there already, then the others."""
    try:
        yield first
        async for chunk in chunks:
            yield chunk
    finally:
        await chunks.aclose()
