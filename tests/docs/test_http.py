"""docs/http.md names every endpoint that a node publishes, and none that it does not."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import TYPE_CHECKING

from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from tests.node import Node

PAGE = ROOT / "docs" / "http.md"
NAMED = re.compile(r"`((?:GET|POST) /[^`?]*)`")


def test_the_table_of_endpoints_is_that_of_the_published_document(node: Node) -> None:
    host, port = node.api
    with urllib.request.urlopen(f"http://{host}:{port}/openapi.json", timeout=10) as answer:
        paths = json.load(answer)["paths"]
    published = {f"{how.upper()} {path}" for path, methods in paths.items() for how in methods}
    table = PAGE.read_text().partition("## All endpoints")[2].partition("\n## ")[0]
    assert set(NAMED.findall(table)) == published
