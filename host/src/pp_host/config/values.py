"""One value of pp.toml: is it of the setting's type, and what does it become?

Laws: exact or refused. Dollars and fractions become integers by Decimal arithmetic, and a seventh decimal is
an error, never rounded. The words that describe a setting in docs/CONFIG.md are the words of its error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Context, Decimal, InvalidOperation
from functools import cache

import msgspec
from msgspec.inspect import (
    BoolType,
    DictType,
    FloatType,
    IntType,
    LiteralType,
    Metadata,
    StrType,
    Type,
    type_info,
)
from msgspec.structs import FieldInfo
from pp_sdk.types import MICRO

from pp_host.limits import LIMITS

_DIGITS = 28
_EXACT = Context(prec=_DIGITS)


class Unfit(Exception):
    """`str(error)` says what was expected and what came."""


@cache
def settings(section: type[msgspec.Struct]) -> Mapping[str, FieldInfo]:
    """The fields of a section by their key in the file."""
    return {field.encode_name: field for field in msgspec.structs.fields(section)}


def kind(field: FieldInfo) -> Type:
    """A field's type without its documentation."""
    info = type_info(field.type)
    return info.type if isinstance(info, Metadata) else info


def is_scaled(field: FieldInfo) -> bool:
    """Whether the file states dollars or a fraction and the attribute millionths of it."""
    return field.name != field.encode_name


def number(text: str) -> Decimal:
    """A TOML float, exactly. NaN and the infinities come through here and fit no setting."""
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text[:40]}: no such number") from None


def fit(raw: object, field: FieldInfo) -> object:
    """What tomllib gave for `field` -> its attribute's value. Errors: Unfit."""
    try:
        return msgspec.convert(_converted(raw, field), field.type)
    except (msgspec.ValidationError, ArithmeticError):
        raise Unfit(f"expected {expectation(field)}, got {_shown(raw)}") from None


def _converted(raw: object, field: FieldInfo) -> object:
    if isinstance(kind(field), DictType):
        return _plain(raw, LIMITS.package.manifest_depth)
    if isinstance(raw, bool) or not isinstance(raw, int | Decimal):
        return raw
    if is_scaled(field):
        return _millionths(raw)
    return _finite(raw) if isinstance(kind(field), FloatType) else raw


def _millionths(raw: int | Decimal) -> int:
    """Exactly `raw` x 1,000,000. Errors: ArithmeticError."""
    if isinstance(raw, int):
        return raw * MICRO
    if not raw.is_finite() or len(raw.as_tuple().digits) > _DIGITS or not -7 < raw.adjusted() < 16:
        raise ArithmeticError
    scaled = raw.scaleb(6, _EXACT)
    if scaled != scaled.to_integral_value():
        raise ArithmeticError
    return int(scaled)


def _finite(raw: int | Decimal) -> float:
    value = float(raw)
    if not math.isfinite(value):
        raise ArithmeticError
    return value


def _plain(raw: object, depth: int) -> object:
    """A plugin's own settings in the types that can cross the wire."""
    match raw:
        case dict() if depth:
            return {key: _plain(value, depth - 1) for key, value in raw.items()}
        case list() if depth:
            return [_plain(value, depth - 1) for value in raw]
        case Decimal():
            return _finite(raw)
        case str() | bool():
            return raw
        case int() if -(2**63) <= raw < 2**63:
            return raw
        case _:
            raise ArithmeticError


def expectation(field: FieldInfo) -> str:
    """What the file may say for `field`, in words."""
    match kind(field):
        case LiteralType(values=values):
            return " or ".join(f'"{value}"' for value in values)
        case BoolType():
            return "true or false"
        case IntType() | FloatType() as info:
            return f"{_noun(field)}, {_range(info, MICRO if is_scaled(field) else 1)}"
        case StrType():
            return "text"
        case DictType():
            return "a table of text, finite 64-bit numbers, true, false, lists and tables"
        case _:
            return "a list of text"


def _noun(field: FieldInfo) -> str:
    if field.encode_name.endswith("_usd"):
        return "dollars with at most 6 decimals"
    if is_scaled(field):
        return "a fraction with at most 6 decimals"
    return "seconds" if field.encode_name.endswith("_seconds") else "a whole number"


def _range(info: IntType | FloatType, scale: int) -> str:
    low = info.ge if info.ge is not None else info.gt
    assert low is not None
    assert info.le is not None
    return (
        f"{'above ' if info.ge is None else ''}{decimal_text(low, scale)} to {decimal_text(info.le, scale)}"
    )


def decimal_text(value: float, scale: int) -> str:
    """`value` / `scale` without an exponent or trailing zeros: (250000, 1000000) -> '0.25'."""
    text = f"{Decimal(repr(value)) / scale:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _shown(raw: object) -> str:
    match raw:
        case bool():
            return str(raw).lower()
        case str():
            return json.dumps(raw if len(raw) <= 40 else f"{raw[:40]}...", ensure_ascii=False)
        case int() if abs(raw) > 10**20:
            return "a far larger number"
        case int() | Decimal():
            return str(raw)[:40]
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return str(raw)
