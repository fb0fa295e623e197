"""The page of all settings, made from the models so that it cannot say anything else.

`python -m hivewire.config.reference > docs/limits.md`, or `make docs`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from pydantic import SecretStr

from hivewire.config.settings import PREFIX, section_types
from hivewire.config.units import Duration, Memory, Size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

    from hivewire.config.sections import Section

HEADER: Final = """\
# Settings and limits

Every setting with its default, the reason for it, and what raising and lowering it costs. Made from
`python/hivewire/config/` by `make docs`; change it there.

A setting `name` of section `[section]` stands in the file (`--config FILE`, TOML) as

    [section]
    name = value

and in the environment as `{prefix}SECTION__NAME`. Flags win over the environment, the environment
over the file, the file over these defaults; a name that does not exist is an error. Durations are
written like `250ms`, `20s`, `5m`, `24h`, `7d`, sizes like `512`, `64KiB`, `16MiB` (powers of 1024).
`hivewire check-config` reads everything and says what is wrong.
"""


def reference() -> str:
    """The whole page as Markdown."""
    parts = [HEADER.format(prefix=PREFIX)]
    for name, section in section_types().items():
        parts.append("\n".join(describe_section(name, section)))
    return "\n".join(parts)


def describe_section(name: str, section: type[Section]) -> Iterator[str]:
    """The lines of one section: a heading, its sentence, an entry for each setting."""
    yield f"## [{name}]\n"
    yield f"{section.__doc__}\n"
    for field_name, field in section.model_fields.items():
        yield from describe_setting(field_name, field)
    yield ""


def describe_setting(name: str, field: FieldInfo) -> Iterator[str]:
    """The lines of one setting."""
    yield f"- **`{name}`** = {spell(field.default)} ({kind(field)}). {field.description}"
    notes = cast("dict[str, str]", field.json_schema_extra)
    for word, text in (("More", notes["more"]), ("Less", notes["less"])):
        if text:
            yield f"  {word}: {text}"


def spell(default: object) -> str:
    """A default as it would be written in the file."""
    if default is None:
        return "not set"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        return f"`{json.dumps(default)}`"
    if isinstance(default, dict):
        return "empty"
    if isinstance(default, str | Path):
        return f'`"{default}"`'
    return f"`{default}`"


def kind(field: FieldInfo) -> str:
    """What may be written, in a word or two, with its bounds."""
    annotation = field.rebuild_annotation()
    words = {Duration: "a duration", Size: "a size", Memory: "a size or a share of the memory"}
    base = next((word for unit, word in words.items() if same_unit(annotation, unit)), None)
    if base is None:
        plain: dict[object, str] = {
            bool: "true or false",
            int: "a number",
            str: "text",
            Path: "a path",
            str | None: "text",
            Path | None: "a path",
            SecretStr | None: "secret text",
            Path | None: "a path",
            dict[str, str]: "names and texts",
        }
        choices = getattr(field.annotation, "__args__", ())
        base = plain.get(field.annotation) or "one of " + ", ".join(f"`{c}`" for c in choices)
        if field.annotation == tuple[str, ...]:
            base = "a list of texts"
    return base


def same_unit(annotation: object, unit: object) -> bool:
    """Whether a field was declared as `Duration`, `Size` or `Memory`."""
    ours: tuple[object, ...] = getattr(unit, "__metadata__", ())
    return bool(ours) and ours[0] in getattr(annotation, "__metadata__", ())


if __name__ == "__main__":
    sys.stdout.write(reference())
