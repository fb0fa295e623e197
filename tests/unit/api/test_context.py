"""The node as the routes see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .site import Site, story

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.unit


def test_it_says_how_the_node_is(tmp_path: Path) -> None:
    async def tell(site: Site) -> None:
        context = site.node.context
        assert context.why_not_ready() == "starting"
        await site.node.start()
        assert context.why_not_ready() is None
        assert context.edge().startswith("127.0.0.1:")
        assert (context.connections(), context.sessions("ann")) == (0, [])
        assert context.clock_ms() > 1_700_000_000_000

    story(tmp_path, tell)
