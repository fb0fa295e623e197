"""What a node stands on: store and engine, new or taken over from another node; who is let in."""

from __future__ import annotations

import os
import resource
import secrets
import time
from typing import TYPE_CHECKING

import structlog
from pydantic import SecretStr

from hivewire import chaos, gateway
from hivewire.auth import KeyProblem, Keyring, Verifier, keyring_of
from hivewire.config.sections import Auth
from hivewire.gateway import Engine
from hivewire.metrics import Metrics
from hivewire.store import timelines
from hivewire.store.rocks import Rocks

if TYPE_CHECKING:
    from hivewire.config import Settings
    from hivewire.handover import Handover
    from hivewire.hooks import App
    from hivewire.store import Store


log = structlog.get_logger(__name__)


def founded(settings: Settings) -> tuple[Metrics, Rocks, Engine]:
    """What a node stands on. Raises StoreError or OSError."""
    store = open_store(settings)
    if chaos.reach is not None:
        chaos.reach("startup")
    carry_out(store)
    return Metrics(), store, new_engine(settings)


def adopted(left: Handover) -> tuple[Metrics, Rocks, Engine]:
    """The same, from the node before."""
    metrics = left.metrics if isinstance(left.metrics, Metrics) else Metrics()
    store = Rocks.adopt(left.store)
    carry_out(store)
    return metrics, store, left.engine


def carry_out(store: Store) -> None:
    """See to it that timelines hold what was gathered for them and is in no row yet."""
    references = timelines.replay(store)
    if references:
        log.info("what had been gathered is in timelines now", references=references)


def new_engine(settings: Settings) -> Engine:
    """An engine that listens nowhere yet, with as many shards as it needs."""
    cores = len(os.sched_getaffinity(0))
    table = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    needed = gateway.shards_for(settings.limits.max_connections, cores, table)
    return Engine(gateway.engine_settings(settings, settings.edge.shards or needed))


def open_store(settings: Settings) -> Rocks:
    """The data directory of a node, open. Raises StoreError where it cannot be."""
    store = settings.store
    return Rocks.open(
        store.path,
        sync=store.sync,
        block_cache_bytes=store.block_cache,
        write_buffer_bytes=store.write_buffer,
        max_open_files=store.open_files,
    )


def verifier_for(
    settings: Settings, application: App | None, keyring: Keyring | None = None
) -> Verifier:
    """What checks tokens. Where the application does, no key is needed and none is known."""
    try:
        return Verifier(settings.auth, keyring or keyring_of(settings, time.monotonic))
    except KeyProblem:
        if application is None or application.authenticator is None:
            raise
        nobody = SecretStr(secrets.token_urlsafe(48))
        return Verifier(Auth(algorithm="HS256", secret=nobody))
