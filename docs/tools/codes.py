"""The page of codes, made from the code: `python -m docs.tools.codes > docs/codes.md`, `make docs`.

Error codes with their sentences come from `hivewire.core.codes`, close codes from the constants and
the two rules of `rust/proto/src/close.rs`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from hivewire.api.errors import STATUS
from hivewire.core.codes import ERRORS, RETRYABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE: Final = Path(__file__).parents[2] / "rust" / "proto" / "src" / "close.rs"
CONSTANT: Final = re.compile(r"/// (.+)\npub const (\w+): u16 = (\d+);")
RANGE: Final = re.compile(r"(\d+)\.\.=(\d+)")
HEADER: Final = """\
# Codes and errors

What a node says when something is wrong. Made from the code by `make docs`; the rules around it are
sections 3 and 8 of [protocol.md](protocol.md).

## Errors of commands

`{"op":"error","id":…,"code":…,"message":…,"retryable":…}`, perhaps with `field` and
`retry_after_ms`. `message` is for people and may change; `code` is for programs and does not.
**A refused command changed nothing, and its key is still free.** Go by `retryable` rather than by
the code. Both SDKs send again by themselves what may be sent again.

| code | over HTTP | means | send the same again |
|---|--:|---|---|
"""
CLOSES: Final = """
Over HTTP they come as `{"error":{"code","message","retryable"}}` with the status of the table.

## Close codes

The hundreds tell what to do: below 4500 come back and resume, from 4500 on not as you are (another
token, another device id, another program). Before it closes the node says `bye` with the code, a
reason and this client's own slot to come back in, except where the table says that it does not.

| code | name | means | come back | `bye` |
|---|---|---|---|---|
"""
STATUSES: Final = """
## Exit statuses of the command line

| status | means |
|--:|---|
| 0 | ended as asked, or all is well |
| 1 | not well: data directory held or damaged, address taken, `doctor` or `verify` found an error |
| 2 | the command line or the settings cannot be used |
| 70 | the disk failed a write or a sync; what was answered before is safe |
"""


class CloseCode(NamedTuple):
    """A constant of close.rs with its comment."""

    name: str
    code: int
    text: str


def page() -> str:
    """The whole page as Markdown."""
    rows = [
        f"| `{code}` | {STATUS[code]} | {text} | {'yes' if code in RETRYABLE else ''} |"
        for code, text in ERRORS.items()
    ]
    closes = list(close_rows(SOURCE.read_text()))
    return HEADER + "\n".join(rows) + "\n" + CLOSES + "\n".join(closes) + "\n" + STATUSES


def close_rows(source: str) -> Iterator[str]:
    """A row of the table for each close code, the registered ones first."""
    back, silent = members(source, "reconnect"), members(source, "has_bye")
    for name, code, text in close_codes(source):
        bye = "" if code in (1005, 1006) else "no" if name in silent else "yes"
        comes = "yes" if name in back or code in numbers(back) else "no"
        yield f"| {code} | {name.lower().replace('_', ' ')} | {text} | {comes} | {bye} |"


def close_codes(source: str) -> list[CloseCode]:
    """All constants of close.rs, in the order of their numbers."""
    found = [CloseCode(name, int(code), text) for text, name, code in CONSTANT.findall(source)]
    return sorted(found, key=lambda close: close.code)


def members(source: str, function: str) -> set[str]:
    """What `matches!` of a function of close.rs lists: names, and ranges of numbers."""
    body = source.partition(f"fn {function}(")[2].partition("\n}")[0]
    listed = body.partition("matches!(")[2].rpartition(")")[0].partition(",")[2]
    assert listed, f"close.rs: {function} is not one matches! any more"
    return {word.strip().rstrip(",") for word in listed.split("|")}


def numbers(listed: set[str]) -> set[int]:
    """The numbers in the ranges of `members`."""
    ranges = [RANGE.fullmatch(word) for word in listed]
    return {
        code
        for found in ranges
        if found is not None
        for code in range(int(found[1]), int(found[2]) + 1)
    }


if __name__ == "__main__":
    sys.stdout.write(page())
