"""What a reload leaves as it was, by name."""

from __future__ import annotations

from hivewire.config import load
from hivewire.config.fixed import FIXED, keep_fixed
from hivewire.config.settings import section_types
from hivewire.gateway import EngineSettings, engine_settings


def test_what_is_fixed_exists() -> None:
    types = section_types()
    for section, names in FIXED.items():
        assert set(names) <= set(types[section].model_fields), section


def test_the_fixed_stay_and_are_named_the_others_change() -> None:
    old = load(limits={"devices": 3}, store={"open_files": 100})
    new = load(limits={"devices": 5, "max_connections": 9}, store={"open_files": 200})
    settings, kept = keep_fixed(old, new)
    assert kept == ["store.open_files", "limits.max_connections"]
    assert (settings.limits.devices, settings.store.open_files) == (5, 100)
    assert settings.limits.max_connections == old.limits.max_connections
    assert keep_fixed(old, old) == (old, [])


def test_the_engine_of_new_settings_would_be_the_same_engine() -> None:
    """Whatever the engine is told at its start has to be fixed: here everything it has differs."""
    old = load()
    other = {
        "deflate": True,
        "origins": ("https://example.org",),
        "address": "127.0.0.1:1",
    }
    limits = {
        name: type(value)(value * 2 + 1)
        for name, value in old.limits.model_dump().items()
        if isinstance(value, int) and name in FIXED["limits"]
    }
    new = old.model_copy(
        update={
            "edge": old.edge.model_copy(update=other),
            "limits": old.limits.model_copy(update=limits),
        }
    )
    before, after = engine_settings(old, 1), engine_settings(new, 1)
    told = {
        name for name in EngineSettings.__slots__ if getattr(before, name) != getattr(after, name)
    }
    assert told >= {"address", "deflate", "origins", "outbox_hard", "max_connections"}
    kept, _ = keep_fixed(old, new)
    assert engine_settings(kept, 1) == before


def test_no_part_of_the_engines_limits_is_forgotten() -> None:
    """Each limit that changes what the engine is told is in the list."""
    old = load()
    before = engine_settings(old, 1)
    for name, value in old.limits.model_dump().items():
        if not isinstance(value, int) or isinstance(value, bool):
            continue
        new = old.model_copy(update={"limits": old.limits.model_copy(update={name: value + 1})})
        if engine_settings(new, 1) != before:
            assert name in FIXED["limits"], name
