"""The settings of a node: `load()` reads them, `Settings` holds them, `units` spells them."""

from __future__ import annotations

from hivewire.config.addresses import Address, is_loopback, parse_address
from hivewire.config.sections import HEARTBEAT_MAX, HEARTBEAT_MIN
from hivewire.config.settings import ConfigError, Settings, load
from hivewire.config.units import parse_duration, parse_size

__all__ = [
    "HEARTBEAT_MAX",
    "HEARTBEAT_MIN",
    "Address",
    "ConfigError",
    "Settings",
    "is_loopback",
    "load",
    "parse_address",
    "parse_duration",
    "parse_size",
]
