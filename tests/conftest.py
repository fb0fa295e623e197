"""Nodes for the tests that need one, and coroutine tests without a plugin."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.e2e.rfc6455 import abort_all
from tests.node import NODES, Node

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from playwright.async_api import Browser

    from tests.browser.chromium import Chromium


_serial = itertools.count(1)

# How fast examples come says nothing about the product (a new machine first builds Hypothesis'
# tables of characters): no property fails for its speed. HYPOTHESIS_PROFILE=deep looks longer.
_UNTIMED: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow],
    "print_blob": True,
}
settings.register_profile("ci", **_UNTIMED)
settings.register_profile("deep", max_examples=5_000, **_UNTIMED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True)
def no_node_outlives_its_test() -> Iterator[None]:
    """A test that failed half-way leaves no process behind; the shared node was there before."""
    before = len(NODES)
    yield
    for left in NODES[before:]:
        if left.running():
            left.kill9()


@pytest.fixture(autouse=True)
def logs_are_set_up_by_nobody_before() -> Iterator[None]:
    """Where a test has set up this process's logs, the next one finds them as they were."""
    yield
    if structlog.is_configured():
        structlog.reset_defaults()


@pytest.fixture
def start_node(tmp_path: Path) -> Iterator[Callable[..., Node]]:
    """Start nodes of one's own:

    `start_node(env={…}, flags=[…])`; what still runs at the end is drained.
    """
    nodes: list[Node] = []

    def start(*, name: str = "", **options: Any) -> Node:
        node = Node(tmp_path / (name or f"data{len(nodes)}"), **options)
        nodes.append(node)
        return node.start()

    yield start
    for node in nodes:
        if node.running():
            node.stop()
        node.assert_calm()


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The node that most tests share: each keeps to users of its own (see `name`)."""
    shared = Node(tmp_path_factory.mktemp("shared") / "data").start()
    yield shared
    assert shared.running(), f"the shared node died: {shared.wait()}\n{shared.stderr()[-4000:]}"
    shared.stop()
    shared.assert_calm()


@pytest.fixture
def name() -> Callable[[str], str]:
    """Make user ids that no other test has: `name("ann")`."""
    serial = next(_serial)
    return lambda base: f"{base}.{serial}"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """The Chromium that all tests share; see `browser`."""
    from tests.browser.chromium import Chromium

    shared = Chromium()
    yield shared
    shared.close()


@pytest.fixture
def browser(chromium: Chromium) -> Iterator[Browser]:
    """A Chromium with nothing in it. A test that has it runs on its loop."""
    yield chromium.browser()
    chromium.clean()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run `async def` tests, each on a loop of its own; those with a browser on the browser's."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj) or "anyio" in pyfuncitem.keywords:
        return None
    arguments = {
        name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters
    }
    chromium: Chromium | None = pyfuncitem.funcargs.get("chromium")
    run = asyncio.run if chromium is None else chromium.run
    run(_run(pyfuncitem.obj(**arguments)))
    return True


async def _run(test: Awaitable[None]) -> None:
    try:
        await test
    finally:
        await abort_all()


def pytest_report_header() -> str:
    """Say how large the chaos runs are."""
    return f"hivewire: HIVEWIRE_TEST_SCALE={os.environ.get('HIVEWIRE_TEST_SCALE', '1')}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the folder it lives in, so that `-m chaos` and the like need no marks in
    the files.
    """
    for item in items:
        inside = item.path.relative_to(Path(__file__).parent).parts
        if inside[0] in ("unit", "integration", "e2e", "chaos", "hostile", "conformance"):
            item.add_marker(inside[0])
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
