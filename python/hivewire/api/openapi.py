"""`/openapi.json`: the document of every endpoint, made of what they are served by."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

import hivewire
from hivewire.api.endpoint import JSON_TYPE, Asked, Endpoint, Who
from hivewire.api.errors import STATUS
from hivewire.api.shapes import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

REFERENCE: Final = "#/components/schemas/{name}"
TEXTS: Final = {
    400: "Something in the request is wrong; `field` names it.",
    401: "A missing or wrong token or API key.",
    403: "What one may not.",
    404: "There is no such thing.",
    408: "The body came too slowly.",
    409: "It contradicts what there is.",
    413: "Something is too large.",
    429: "Too often; `Retry-After` says when to come again.",
    501: "This node cannot do it.",
    503: "Not now; `Retry-After` says when to come again.",
}
ERRORS: Final = (408, 415)
"""Of `Endpoint.statuses`, those that come with an error as JSON."""
RAW: Final = {
    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {"file": {"type": "string", "format": "binary"}},
            "required": ["file"],
        }
    },
}
"""A body that is a file."""
SECURITY: Final[dict[Who, list[dict[str, list[str]]]]] = {
    Who.ANYONE: [],
    Who.USER: [{"token": []}],
    Who.SERVER: [{"key": []}],
}
SCHEMES: Final = {
    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def endpoints(served: Sequence[Endpoint]) -> list[Endpoint]:
    """The document's own endpoint; it describes `served` and itself."""

    async def read(_asked: Asked) -> bytes:
        return body

    own = Endpoint("GET", "/openapi.json", "This document.", read, Who.ANYONE, gives=dict[str, Any])
    body = msgspec.json.encode(document([*served, own]))
    return [own]


def document(served: Sequence[Endpoint]) -> dict[str, Any]:
    """The whole document (OpenAPI 3.1)."""
    kinds = [kind for one in served for kind in (one.takes, one.gives) if kind is not None]
    unique = list(dict.fromkeys([*kinds, Failure]))
    shapes, components = msgspec.json.schema_components(unique, ref_template=REFERENCE)
    schemas = dict(zip(unique, shapes, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in served:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation(
            endpoint, schemas, components
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "hivewire",
            "version": hivewire.__version__,
            "description": "The HTTP side of a hivewire node; docs/http.md tells the story.",
        },
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": SCHEMES},
    }


def operation(
    endpoint: Endpoint, schemas: dict[Any, Any], components: dict[str, Any]
) -> dict[str, Any]:
    """One endpoint."""
    name = endpoint.path.removeprefix("/api/v1/").strip("/")
    found: dict[str, Any] = {
        "operationId": f"{endpoint.method.lower()} {name}",
        "summary": endpoint.summary,
        "security": SECURITY[endpoint.who],
        "responses": responses(endpoint, schemas),
    }
    named = path_parameters(endpoint.path)
    if named:
        found["parameters"] = named
    if endpoint.raw_body:
        found["requestBody"] = {"required": True, "content": RAW}
    if endpoint.takes is None:
        return found
    if endpoint.method == "GET":
        found["parameters"] = named + parameters(components[endpoint.takes.__name__])
    else:
        content = {JSON_TYPE: {"schema": schemas[endpoint.takes]}}
        found["requestBody"] = {"required": True, "content": content}
    return found


def path_parameters(path: str) -> list[dict[str, Any]]:
    """What stands in braces."""
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def parameters(shape: dict[str, Any]) -> list[dict[str, Any]]:
    """The query of a GET."""
    required: list[str] = shape.get("required", [])
    found: list[dict[str, Any]] = []
    for name, schema in shape["properties"].items():
        parameter = {"name": name, "in": "query", "required": name in required}
        found.append(parameter | {"schema": schema})
    return found


def responses(endpoint: Endpoint, schemas: dict[Any, Any]) -> dict[str, Any]:
    """What the endpoint answers, by status."""
    schema = {} if endpoint.gives is None else {"schema": schemas[endpoint.gives]}
    good = {"description": endpoint.summary, "content": {endpoint.media_type: schema}}
    failure = {"content": {JSON_TYPE: {"schema": schemas[Failure]}}}
    found: dict[str, Any] = {"200": good}
    for status in sorted(refusals(endpoint)):
        found[str(status)] = {"description": TEXTS[status], **failure}
    for status, text in endpoint.statuses.items():
        found[str(status)] = {"description": text, **(failure if status in ERRORS else {})}
    return found


def refusals(endpoint: Endpoint) -> set[int]:
    """Every other status that it may have."""
    found = {STATUS[code] for code in endpoint.refuses}
    if endpoint.takes is not None:
        found.add(400)
        if endpoint.method != "GET":
            found |= {408, 413}
    if endpoint.who is not Who.ANYONE:
        found |= {401, 503}
    if endpoint.who is Who.USER:
        found.add(429)
    return found
