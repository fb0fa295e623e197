"""The process: runs a node until SIGTERM, and puts another in its place on SIGHUP.

A reload is a new Python layer over the same engine. All that can fail is done first, while the node
runs: settings, modules, `on_start`. Then the old node comes to rest, the new one takes what it
leaves, and no socket has noticed. The engine keeps commands and heartbeats meanwhile.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

import structlog
import uvloop

from hivewire import fresh, handover
from hivewire.app import FATAL_STATUS, Node
from hivewire.backup import Backups, source_of
from hivewire.control import Control
from hivewire.hooks.sender import SenderToBe
from hivewire.signals import on_signals

if TYPE_CHECKING:
    from hivewire.backup import Source
    from hivewire.config import Settings
    from hivewire.hooks import App
    from hivewire.launch import Launch, Prepared

log = structlog.get_logger(__name__)

SWITCH_SECONDS: Final = 0.0005
"""The committer's thread comes back from the disk and waits so long at most for a busy loop."""
START_SECONDS: Final = 30.0
"""How long the `on_start` of a new application may take in a reload; the old one serves on."""


class NotReloaded(Exception):
    """The node goes on as it was; the text says why."""


def serve(settings: Settings, application: App | None, launch: Launch) -> int:
    """Run a node until SIGTERM. Returns the exit status; prints the `ready` line."""
    sys.setswitchinterval(SWITCH_SECONDS)
    return uvloop.run(_serve(settings, application, launch))


async def _serve(settings: Settings, application: App | None, launch: Launch) -> int:
    supervisor = Supervisor(Node(settings, application), launch)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    on_signals(loop, stopping)
    edge, api = await supervisor.start()
    if not os.isatty(0):
        # In a terminal it means that the terminal has gone.
        loop.add_signal_handler(signal.SIGHUP, supervisor.reload_soon)
    settle_memory()
    print(f"ready edge={edge} api={api}", flush=True)  # noqa: T201 - scripts wait for this line
    path = str(settings.store.path)
    log.info("the node is ready", edge=edge, api=api, dev=launch.dev, data=path)
    await stopping.wait()
    return await supervisor.drain()


class Supervisor:
    """Holds the node that runs now.

    Args:
        node: The first one, not yet started.
        launch: What a reload reads again.
    """

    def __init__(self, node: Node, launch: Launch) -> None:
        self.node = node
        self._launch = launch
        self._stamp = fresh.stamp()
        self._changing = asyncio.Lock()
        self._control = Control(node.settings.store.path, self._obey)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._backups = Backups(self._source)

    async def start(self) -> tuple[str, str]:
        """Start the node. Returns the addresses of edge and api."""
        addresses = await self.node.start()
        await self._control.start()
        return addresses

    async def drain(self) -> int:
        """End the node in order. Returns the exit status."""
        log.info("draining")
        await self._backups.stop()
        wait = self.node.settings.drain.time / 1000
        try:
            await asyncio.wait_for(self._changing.acquire(), wait)
        except TimeoutError:
            log.warning("a reload has not come to its end; all that was answered is on disk")
            return 1
        await self._control.stop()
        await self.node.drain()
        log.info("the node has stopped")
        return 0

    def reload_soon(self) -> None:
        """Reload, and say in the log what came of it; for SIGHUP."""
        task = asyncio.get_running_loop().create_task(self._obey("reload"))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _source(self) -> Source:
        return source_of(self.node.store, self.node.settings)

    async def _obey(self, word: str) -> tuple[bool, str]:
        if word.startswith("backup "):
            return await self._backups.make(word.removeprefix("backup "))
        if word.startswith("why "):
            # The node may be of a newer hivewire than this supervisor.
            told = importlib.import_module("hivewire.api.trace").told
            return await told(self.node.context, word.removeprefix("why "))
        if word != "reload":
            return False, f"the node knows no {word!r}"
        try:
            return True, await self.reload()
        except NotReloaded as problem:
            return False, str(problem)
        except Exception as error:
            log.exception("the reload failed")
            return False, _reason(error)

    async def reload(self) -> str:
        """Put a new node in the place of the running one. Returns what to say about it.

        Raises:
            NotReloaded: The old one serves on, or its like over what it left.
        """
        async with self._changing:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            stamp = fresh.stamp()
            if stamp.engine != self._stamp.engine:
                raise _refused("another engine is installed: restart the node to run it")
            names = [] if self._launch.spec is None else fresh.modules_of(self._launch.spec)
            anew = stamp.sources != self._stamp.sources
            names += fresh.own_modules() if anew else []
            with fresh.imported_anew(names):
                prepared = await self._prepare()
                old = self.node
                await self._replace(prepared)
            waited_ms = round((loop.time() - old.suspended_at) * 1000, 1)
            self._stamp = stamp
            await _retire(old, self.node)
            del old
            settle_memory()
            took = loop.time() - begun
            log.info(
                "reloaded",
                seconds=round(took, 3),
                commands_waited_ms=waited_ms,
                modules=len(names),
                hivewire=anew,
            )
            return _report(took, prepared.kept, anew=anew)

    async def _prepare(self) -> Prepared:
        """Everything that can fail, while the old node serves. Raises NotReloaded."""
        try:
            launch = importlib.import_module("hivewire.launch")
            prepared: Prepared = launch.prepare(self._launch, self.node.settings)
            if prepared.version != handover.VERSION:
                raise NotReloaded("the new hivewire needs a restart")  # noqa: TRY301 - logged below
            if (files := prepared.settings.edge.tls) is not None:
                self.node.engine.reload_tls(*files)
            bridge = self.node.bridge
            if prepared.application is not None and bridge is not None:
                start = prepared.begin(prepared.application, bridge.sender)
                await asyncio.wait_for(start, START_SECONDS)
        except (Exception, SystemExit) as error:
            raise _refused(_reason(error), error) from error
        return prepared

    async def _replace(self, prepared: Prepared) -> None:
        """From here on commands wait in the engine, until one node or the other goes on."""
        old = self.node
        later = SenderToBe()

        def hush() -> None:
            for application in (old.application, prepared.application):
                if application is not None:
                    application.sender = later

        try:
            left = await old.hand_over(hush)
        except Exception as error:
            if not old.suspended_at:
                raise _refused(_reason(error), error) from error
            # It waits for another, and nothing is there that another could be made of.
            log.exception("the node failed while it handed over: the process ends")
            _end()
        failure: Exception | None = None
        try:
            self.node = prepared.node(prepared.settings, prepared.application, left)
        except Exception as error:  # noqa: BLE001 - whatever it was, the old code can go on
            failure = error
            self.node = type(old)(old.settings, old.application, left)
        try:
            await self.node.take_over(left)
        except Exception:
            # Neither is whole.
            log.exception("the new node failed while it took over: the process ends")
            _end()
        if self.node.bridge is not None:
            later.become(self.node.bridge.sender)
        if failure is not None:
            raise _refused(_reason(failure), failure) from failure


async def _retire(old: Node, new: Node) -> None:
    """Let the old application end, and the requests that the old api still answers."""
    if old.bridge is not None:
        await old.bridge.retire(None if new.bridge is None else new.bridge.sender)
    await old.ended()


def _end() -> NoReturn:
    """End as if killed: the disk has all that was answered, and a new process reads it."""
    os._exit(FATAL_STATUS)


def _refused(text: str, error: BaseException | None = None) -> NotReloaded:
    log.error("not reloaded: the node goes on as it was", reason=text, exc_info=error)
    return NotReloaded(text)


def _reason(error: BaseException) -> str:
    if isinstance(error, NotReloaded):
        return str(error)
    cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
    said = f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__
    return said if cause is error else f"{error}: {said}"


def _report(seconds: float, kept: list[str], *, anew: bool) -> str:
    text = f"reloaded in {seconds:.2f} s" + (", hivewire itself too" if anew else "")
    return text + (f"; not before the next start: {', '.join(kept)}" if kept else "")


def settle_memory() -> None:
    """What is there now stays; the collector need not look at it again, nor look often.

    The hot path makes tuples that die young and no cycles.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
