"""Schemathesis takes the document at its word and calls the node with whatever that allows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.http.web import bearer, url
from tests.node import API_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.node import Node

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,negative_data_rejection,missing_required_header,"
    "ignored_auth,unsupported_method,allow_header_conformance"
)
EXAMPLES = 15
"""Of each endpoint and phase; a thousand find no more, and take minutes."""


@pytest.mark.timeout(180)
def test_i9_nothing_that_the_document_allows_breaks_the_node(
    start_node: Callable[..., Node], tmp_path: Path
) -> None:
    node = start_node(env={"HIVEWIRE_API__POLL_TIME": "100ms"})
    # Nobody but its user calls with a token.
    (tmp_path / "schemathesis.toml").write_text('[parameters]\n"query.sourceID" = "ann"\n')
    command = [
        *(str(Path(sys.executable).parent / "schemathesis"), "run", f"{url(node)}/openapi.json"),
        *("--checks", CHECKS, "--max-examples", str(EXAMPLES), "--seed", "1"),
        *("--header", f"Authorization: {bearer('ann')['Authorization']}"),
        *("--header", f"X-API-Key: {API_KEY}"),
        *("--phases", "examples,coverage,fuzzing", "--no-color", "--generation-database", "none"),
    ]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-8000:] + found.stderr[-2000:]
    assert node.running()
