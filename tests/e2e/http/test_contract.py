"""Every endpoint of the document: its good call, its bad one, and the one of nobody.

`CASES` has one entry for each; an endpoint of `/openapi.json` without one fails, and so does one
whose answer is not what its schema says.
"""

from __future__ import annotations

import asyncio
import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import jsonschema_rs
import pytest

from tests.e2e.http.web import Web, url
from tests.e2e.stranger import ERROR_CODES
from tests.node import API_KEY
from tests.tokens import token
from tests.unit.media.room import picture

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.node import Node

    Name = Callable[[str], str]


class Case(NamedTuple):
    """What goes into the query of a GET and the body of a POST; `USER` becomes the caller.

    What the path has in braces goes there.
    """

    good: Mapping[str, Any] = MappingProxyType({})
    bad: dict[str, Any] | None = None
    """None: there is nothing in it that could be wrong."""
    status: int = 400


PICTURE, NOTHING = hashlib.sha256(picture()).hexdigest(), "0f" * 32
RTM = {"sourceID": "USER", "targetID": "somebody"}
SAYS = {"from": "USER", "key": "key-number-1", "text": "hi"}
CASES = {
    "GET /health/live": Case(),
    "GET /health/ready": Case(),
    "GET /metrics": Case(),
    "GET /openapi.json": Case(),
    "POST /api/v1/rtm.send": Case(RTM | {"text": "hi"}, RTM),
    "GET /api/v1/rtm.receive": Case(RTM, RTM | {"sourceID": "eve"}, 403),
    "POST /api/v1/media": Case({"any": "body"}),
    "GET /api/v1/media/{id}": Case({"id": PICTURE}, {"id": NOTHING}, 404),
    "GET /api/v1/media/{id}/thumbnail": Case({"id": PICTURE}, {"id": NOTHING}, 404),
    "GET /api/v1/media/{id}/link": Case({"id": PICTURE}, {"id": NOTHING}, 404),
    "GET /api/v1/events": Case({"after": 0}, {"after": 99}),
    "GET /api/v1/conversations": Case({"limit": 2}, {"before": "nonsense"}),
    "GET /api/v1/history": Case({"conv": "direct:USER,z"}, {"conv": "direct:x,y"}, 403),
    "GET /api/v1/discover": Case(),
    "POST /api/v1/server/send": Case(SAYS | {"to": "user:x"}, SAYS | {"to": "x"}),
    "POST /api/v1/server/broadcast": Case(
        SAYS | {"to": ["user:x", "group:none"]}, SAYS | {"to": []}
    ),
    "POST /api/v1/server/disconnect": Case({"user": "USER"}, {}),
    "POST /api/v1/server/presence": Case({"users": ["USER"]}, {"users": "USER"}),
    "POST /api/v1/server/history": Case({"conv": "direct:x,y"}, {"conv": "group:none"}, 404),
    "POST /api/v1/server/groups": Case(
        {"from": "USER", "op": "group.create", "key": "key-number-2"},
        {"from": "USER", "op": "group.info", "conv": "group:none"},
        403,
    ),
    "POST /api/v1/server/revoke": Case({"user": "USER.gone"}, {"user": ""}),
    "POST /api/v1/server/tokens": Case({"user": "USER"}, {"user": "USER", "ttl": -1}),
    "GET /api/v1/server/info": Case(),
    "GET /api/v1/server/connections": Case({"limit": 5}, {"limit": 0}),
    "GET /api/v1/server/trace": Case(
        {"conv": "direct:x,y", "n": 1}, {"conv": "direct:x,z", "n": 1}, 404
    ),
}


def filled(value: Any, user: str) -> Any:
    """The case with the caller's name in it."""
    if isinstance(value, (dict, MappingProxyType)):
        return {name: filled(part, user) for name, part in value.items()}
    if isinstance(value, list):
        return [filled(part, user) for part in value]
    return value.replace("USER", user) if isinstance(value, str) else value


async def call(http: httpx.AsyncClient, endpoint: str, fields: dict[str, Any]) -> httpx.Response:
    method, path = endpoint.split()
    place = "params" if method == "GET" else "json"
    query = {name: value for name, value in fields.items() if f"{{{name}}}" not in path}
    return await http.request(method, path.format(**fields), **{place: query})  # type: ignore[arg-type]


async def read_document(node: Node) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=url(node)) as http:
        return (await http.get("/openapi.json")).json()


@pytest.fixture(scope="module")
def document(node: Node) -> dict[str, Any]:
    """The document as the node publishes it."""
    return asyncio.run(read_document(node))


def operation(document: dict[str, Any], endpoint: str) -> dict[str, Any]:
    method, path = endpoint.split()
    return document["paths"][path][method.lower()]


def assert_fits(document: dict[str, Any], endpoint: str, response: httpx.Response) -> None:
    """The status is one of the document's, and the body what it says of that status."""
    told = operation(document, endpoint)["responses"]
    assert str(response.status_code) in told, response.text
    (media_type, content), *_ = told[str(response.status_code)]["content"].items()
    assert media_type == "*/*" or response.headers["content-type"].startswith(media_type)
    if "schema" in content:
        schema = content["schema"] | {"components": document["components"]}
        jsonschema_rs.Draft202012Validator(schema).validate(response.json())


def assert_error(response: httpx.Response, status: int) -> None:
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["code"] in ERROR_CODES
    assert error["message"]
    assert isinstance(error["retryable"], bool)


def test_every_endpoint_of_the_document_has_its_case(document: dict[str, Any]) -> None:
    told = {
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert told == set(CASES)


@pytest.mark.parametrize("endpoint", CASES)
async def test_its_good_its_bad_and_its_unauthorised_call(
    node: Node, name: Name, document: dict[str, Any], endpoint: str
) -> None:
    case, user = CASES[endpoint], name("ann")
    security = operation(document, endpoint)["security"]
    caller = None if security == [{"key": []}] else user
    async with Web.of(node, caller) as web:
        if "history" in endpoint or "trace" in endpoint:
            await web.http.post(
                "/api/v1/server/send",
                json={"from": "x", "to": "user:y", "key": f"key-{user}", "text": "hi"},
                headers={"X-API-Key": API_KEY},
            )
        if "media/" in endpoint:
            await web.http.post("/api/v1/media", content=picture())
        response = await call(web.http, endpoint, filled(case.good, user))
        assert response.status_code == 200, response.text
        assert_fits(document, endpoint, response)
        if case.bad is not None:
            response = await call(web.http, endpoint, filled(case.bad, user))
            assert_error(response, case.status)
            assert_fits(document, endpoint, response)
    if security:
        await assert_strangers_are_refused(node, document, endpoint, filled(case.good, user))


async def assert_strangers_are_refused(
    node: Node, document: dict[str, Any], endpoint: str, fields: dict[str, Any]
) -> None:
    user = "stranger"
    credentials: list[dict[str, str]] = [
        {},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": f"Bearer {token(user, secret='another-secret-' * 3)}"},
        {"Authorization": f"Bearer {token(user, ttl=-3600)}"},
        {"X-API-Key": "nonsense"},
    ]
    if operation(document, endpoint)["security"] == [{"key": []}]:
        credentials.append({"Authorization": f"Bearer {token(user)}"})
    async with httpx.AsyncClient(base_url=url(node)) as http:
        for shown in credentials:
            http.headers = httpx.Headers(shown)
            response = await call(http, endpoint, fields)
            assert_error(response, 401)
            assert_fits(document, endpoint, response)


async def test_i9_other_methods_and_paths_are_errors_of_the_same_shape(node: Node) -> None:
    async with httpx.AsyncClient(base_url=url(node)) as http:
        assert_error(await http.get("/api/v1/nothing"), 404)
        wrong = await http.delete("/api/v1/rtm.send")
        assert_error(wrong, 405)
        assert wrong.headers["allow"] == "POST"
