"""Strict JSON for files a person may edit: one document, no key twice, no NaN, numbers with a point stay
exact, and all text is text that can be written again: no half of a surrogate pair.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import NoReturn, TypeVar

import msgspec

from pp_host.errors import OperatorError

T = TypeVar("T")


def read(data: bytes, shape: type[T], name: str) -> T:
    """`data` as `shape`. Errors: OperatorError that begins with `name` and says where in the document."""
    try:
        return msgspec.convert(parse(data, name), shape)
    except msgspec.ValidationError as error:
        raise OperatorError(f"{name}: {error}") from None


def parse(data: bytes, name: str) -> object:
    """The plain value; numbers with a point or an exponent are Decimal. Errors: OperatorError."""
    try:
        value: object = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_float=Decimal, parse_constant=_refuse
        )
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except (ValueError, RecursionError) as error:
        raise OperatorError(f"{name}: not strict JSON: {error}") from None
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value: dict[str, object] = {}
    for key, item in pairs:
        if key in value:
            raise ValueError(f"the key {key!r} stands twice")
        value[key] = item
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")
