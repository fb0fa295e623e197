"""The document of the api: complete, and true to what is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jsonschema_rs import meta

from hivewire.api.listener import endpoints

from .site import Site, story

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


async def document(site: Site) -> dict[str, Any]:
    return (await site.http.get("/openapi.json")).json()


def test_every_endpoint_is_in_it(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        told = {
            (method.upper(), path)
            for path, methods in (await document(site))["paths"].items()
            for method in methods
        }
        served = {(one.method, one.path) for one in endpoints(site.node.context)}
        assert told == served
        assert ("POST", "/api/v1/rtm.send") in told

    story(tmp_path, tell)


def test_it_says_who_may_call_and_what_is_refused(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        paths = (await document(site))["paths"]
        send = paths["/api/v1/server/send"]["post"]
        assert send["security"] == [{"key": []}]
        assert {"200", "400", "401", "403", "409", "413"} <= set(send["responses"])
        events = paths["/api/v1/events"]["get"]
        assert events["security"] == [{"token": []}]
        after = next(one for one in events["parameters"] if one["name"] == "after")
        assert (after["required"], after["schema"]["type"]) == (False, "integer")
        assert paths["/health/live"]["get"]["security"] == []

    story(tmp_path, tell)


def test_its_schemas_are_schemas_and_every_reference_leads_somewhere(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        found = await document(site)
        for schema in found["components"]["schemas"].values():
            meta.validate(schema)
        known = set(found["components"]["schemas"])
        assert set(references(found)) <= known

    story(tmp_path, tell)


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"].rpartition("/")[2]] if isinstance(part.get("$ref"), str) else []
        return own + [name for value in part.values() for name in references(value)]
    if isinstance(part, list):
        return [name for value in part for name in references(value)]
    return []
