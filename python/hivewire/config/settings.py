"""`load()`: flags over environment over file over defaults, and nothing unknown in any of them.

The file is TOML with a table for each section; in the environment a setting is
`HIVEWIRE_<SECTION>__<NAME>`. A misspelled name stops the node instead of being ignored.
"""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING, Any, Final

from pydantic import PrivateAttr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from hivewire.config import admission as admission_section
from hivewire.config import api as api_section
from hivewire.config import hooks as hooks_section
from hivewire.config import jwks as jwks_section
from hivewire.config import media as media_section
from hivewire.config import presence as presence_section
from hivewire.config import push as push_section
from hivewire.config import sections
from hivewire.config import store as store_section
from hivewire.config.addresses import is_loopback, parse_address

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

PREFIX: Final = "HIVEWIRE_"
# Read by tests and tools, not by the node's settings.
FOREIGN: Final = ("HIVEWIRE_CHAOS", "HIVEWIRE_TEST_")


class ConfigError(Exception):
    """The settings cannot be used; the text names the key and says why, a line for each."""


class Settings(BaseSettings):
    """All settings of a node, checked and frozen."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    node: sections.Node = sections.Node()
    edge: sections.Edge = sections.Edge()
    api: api_section.Api = api_section.Api()
    auth: sections.Auth = sections.Auth()
    jwks: jwks_section.Jwks = jwks_section.Jwks()
    limits: sections.Limits = sections.Limits()
    admission: admission_section.Admission = admission_section.Admission()
    memory: admission_section.Ceiling = admission_section.Ceiling()
    heartbeat: sections.Heartbeat = sections.Heartbeat()
    presence: presence_section.Presence = presence_section.Presence()
    hooks: hooks_section.Hooks = hooks_section.Hooks()
    push: push_section.Push = push_section.Push()
    media: media_section.Media = media_section.Media()
    store: store_section.Store = store_section.Store()
    drain: sections.Drain = sections.Drain()
    log: sections.Log = sections.Log()
    _dev: bool = PrivateAttr(default=False)

    @property
    def dev(self) -> bool:
        """Whether `serve` was given `--dev`; no file and no variable can say so."""
        return self._dev

    def developed(self) -> Settings:
        """The same for `--dev`: pages of the api listener may connect to the edge.

        The two listeners are two origins. What lets a page in is its token, and the demo gives
        tokens to pages of its own host alone.
        """
        edge = self.edge
        if not edge.origins:
            edge = edge.model_copy(update={"origins": ("*",)})
        settings = self.model_copy(update={"edge": edge})
        settings._dev = True  # noqa: SLF001 - it is this very class
        return settings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` passes and the environment count: no .env file is read behind it."""
        del settings_cls, dotenv_settings, file_secret_settings
        return (env_settings, init_settings)


def load(config: Path | None = None, **flags: Mapping[str, object]) -> Settings:
    """Read the settings; `flags` are sections, e.g. `edge={"address": "127.0.0.1:0"}`.

    Raises:
        ConfigError: a file that cannot be read, an unknown name, a value that is not allowed.
    """
    refuse_unknown_environment(os.environ)
    tables = read_file(config) if config else {}
    try:
        settings = Settings(**tables)
        settings = override(settings, flags)
    except ValidationError as error:
        raise ConfigError("\n".join(map(describe, error.errors()))) from None
    refuse_unsafe(settings)
    return settings


def override(settings: Settings, flags: Mapping[str, Mapping[str, object]]) -> Settings:
    """`settings` with the given flags in place; flags that are None were not given."""
    changed: dict[str, sections.Section] = {}
    for name, values in flags.items():
        given = {key: value for key, value in values.items() if value is not None}
        old: sections.Section = getattr(settings, name)
        try:
            checked = type(old).model_validate(given)
        except ValidationError as error:
            problems = [describe(detail, name) for detail in error.errors()]
            raise ConfigError("\n".join(problems)) from None
        changed[name] = old.model_copy(update={key: getattr(checked, key) for key in given})
    return settings.model_copy(update=changed)


def read_file(path: Path) -> dict[str, Any]:
    """The file's tables. Raises ConfigError when it cannot be read or is not TOML."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None


def refuse_unknown_environment(environment: Mapping[str, str]) -> None:
    """Raise ConfigError for each variable with our prefix that is no setting."""
    known = {name.upper() for name in environment_names()}
    unknown = sorted(
        name
        for name in environment
        if name.upper().startswith(PREFIX)
        and name.upper() not in known
        and not name.upper().startswith(FOREIGN)
    )
    if unknown:
        lines = (f"{name}: unknown setting in the environment" for name in unknown)
        raise ConfigError("\n".join(lines))


def environment_names() -> list[str]:
    """Every setting's name in the environment, in the order of the reference."""
    return [
        f"{PREFIX}{section}__{name}".upper()
        for section, table in section_types().items()
        for name in table.model_fields
    ]


def section_types() -> dict[str, type[sections.Section]]:
    """Section name → its model."""
    return {name: type(field.default) for name, field in Settings.model_fields.items()}


def refuse_unsafe(settings: Settings) -> None:
    """Raise ConfigError for combinations that no single field can see."""
    problems: list[str] = []
    for name, listener in (("edge", settings.edge), ("api", settings.api)):
        try:
            address = parse_address(listener.address)
        except ValueError as error:
            problems.append(f"{name}.address: {error}")
            continue
        secured = listener is settings.edge and settings.edge.tls is not None
        if not (is_loopback(address.host) or listener.insecure or secured):
            problems.append(
                f"{name}.address: {listener.address} is not loopback and the listener is plain; "
                f"set {name}.insecure if something in front of it protects the line"
            )
    if (settings.edge.tls_cert is None) != (settings.edge.tls_key is None):
        problems.append("edge.tls_cert, edge.tls_key: one goes with the other")
    auth, limits = settings.auth, settings.limits
    problems += jwks_section.problems_of(settings.jwks, auth.algorithm, auth.public_key)
    if limits.outbox_soft > limits.outbox_hard:
        problems.append("limits.outbox_soft: above limits.outbox_hard")
    if limits.page_bytes + limits.message_bytes > limits.server_message_bytes:
        problems.append("limits.page_bytes: a page would not fit into limits.server_message_bytes")
    problems += push_section.problems(settings.push)
    if problems:
        raise ConfigError("\n".join(problems))


def describe(error: ErrorDetails, section: str = "") -> str:
    """One line of a validation error: the key as in the file, and what is wrong with it."""
    place = [section, *map(str, error["loc"])] if section else [str(part) for part in error["loc"]]
    if error["type"] == "extra_forbidden":
        return f"{'.'.join(place)}: unknown setting"
    return f"{'.'.join(place)}: {error['msg'].removeprefix('Value error, ')}"
