"""Values that an application chose: what may be in them, how deep they nest, when two are equal."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

from hivewire.core.limits import DATA_DEPTH

INTEGERS = range(-(2**63), 2**64)
"""What MessagePack can carry: a message must look the same in both encodings."""


def problem_in(data: dict[str, Any]) -> str | None:
    """What in `data` is not JSON or nests too deep. MessagePack can say more than JSON."""
    level: list[Any] = [data]
    for _ in range(DATA_DEPTH):
        below: list[Any] = []
        for container in level:
            if _is_object(container) and not all(type(name) is str for name in container):
                return "has a name that is not a string"
            below.extend(container.values() if _is_object(container) else container)
        problem = next(filter(None, map(_problem_in_scalar, below)), None)
        if problem is not None:
            return problem
        level = [value for value in below if _is_object(value) or _is_array(value)]
        if not level:
            return None
    return f"nests more than {DATA_DEPTH} levels deep"


def nests_deeper_than(bound: int, value: object) -> bool:
    """Whether objects and arrays lie in each other more than `bound` levels deep."""
    level: list[Any] = [value]
    for _ in range(bound + 1):
        containers = [inner for inner in level if _is_object(inner) or _is_array(inner)]
        if not containers:
            return False
        level = [
            inner
            for outer in containers
            for inner in (outer.values() if _is_object(outer) else outer)
        ]
    return True


def by_value(value: Any) -> Any:  # noqa: ANN401 - what JSON can say
    """The same value with whole numbers as integers, whatever they were written as."""
    if _is_object(value):
        return {name: by_value(inner) for name, inner in value.items()}
    if _is_array(value):
        return [by_value(inner) for inner in value]
    if isinstance(value, float) and value.is_integer() and int(value) in INTEGERS:
        return int(value)
    return value


def _problem_in_scalar(value: object) -> str | None:
    kind = type(value)
    if kind is str or kind is bool or value is None or kind is dict or kind is list:
        return None
    if isinstance(value, int):
        return None if value in INTEGERS else "has an integer of more than 64 bits"
    if isinstance(value, float):
        return None if math.isfinite(value) else "has a number that is not finite"
    return "has a value that JSON does not know"


def _is_object(value: object) -> TypeGuard[dict[Any, Any]]:
    return type(value) is dict


def _is_array(value: object) -> TypeGuard[list[Any]]:
    return type(value) is list
