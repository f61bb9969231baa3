"""A plugin's settings: the JSON Schema in its package, and the operator's values checked against it.

Laws: a strict small subset of JSON Schema 2020-12, flat and closed: one object of named scalars,
`additionalProperties: false`. Every other keyword is refused, never ignored. Values are checked before the
plugin starts, defaults filled in, nothing converted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from pp_host.errors import OperatorError
from pp_host.limits import LIMITS
from pp_host.trust import jsontext

Key = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]{0,63}\Z")]
Scalar = str | int | float | bool
_KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


class Setting(Struct, frozen=True, forbid_unknown_fields=True):
    """One setting: its type, its bounds, and its value when the operator gives none."""

    type: Literal["string", "integer", "number", "boolean"]
    minimum: int | float | None = None
    maximum: int | float | None = None
    enum: Annotated[tuple[Scalar, ...], Meta(min_length=1)] | None = None
    default: Scalar | UnsetType = UNSET
    title: str = ""
    description: str = ""

    def complaint(self, value: object) -> str:
        """What is wrong with `value`; empty when nothing is."""
        if isinstance(value, bool) != (self.type == "boolean") or not isinstance(value, _KINDS[self.type]):
            return f"expected {self.type}, got {type(value).__name__}"
        if self.enum is not None and value not in self.enum:
            return f"expected one of {', '.join(map(str, self.enum))}"
        if isinstance(value, str):
            most = LIMITS.package.setting_chars
            return f"longer than {most} characters" if len(value) > most else ""
        return self._out_of_range(value) if isinstance(value, int | float) else ""

    def _out_of_range(self, value: float) -> str:
        if not -LIMITS.package.setting_integer <= value <= LIMITS.package.setting_integer:
            return "not a number that every reader holds exactly"  # NaN and infinity too
        if self.minimum is not None and value < self.minimum:
            return f"expected at least {self.minimum}"
        return f"expected at most {self.maximum}" if self.maximum is not None and value > self.maximum else ""


class Schema(Struct, frozen=True, forbid_unknown_fields=True, rename={"dialect": "$schema"}):
    """The settings a plugin has."""

    type: Literal["object"]
    properties: Annotated[dict[Key, Setting], Meta(max_length=LIMITS.package.settings)]
    additionalProperties: bool  # noqa: N815  # JSON Schema's spelling
    required: tuple[str, ...] = ()
    dialect: Literal["https://json-schema.org/draft/2020-12/schema"] = (
        "https://json-schema.org/draft/2020-12/schema"
    )
    title: str = ""
    description: str = ""


def read_schema(data: bytes, name: str) -> Schema:
    """The schema file of a package. Errors: OperatorError that begins with `name`."""
    if len(data) > LIMITS.package.config_bytes:
        raise OperatorError(f"{name}: larger than {LIMITS.package.config_bytes:,} bytes")
    schema = jsontext.read(data, Schema, name)
    if schema.additionalProperties:
        raise OperatorError(f"{name}: additionalProperties: must be false", hint="every setting has a name")
    for key in schema.required:
        if key not in schema.properties:
            raise OperatorError(f"{name}: required: no such property {key!r}")
    for key, setting in schema.properties.items():
        for value in (*(setting.enum or ()), *(() if setting.default is UNSET else (setting.default,))):
            if what := setting.complaint(value):
                raise OperatorError(f"{name}: properties.{key}: enum or default: {what}")
    return schema


def validate_config(schema: Schema, config: Mapping[str, object]) -> dict[str, Any]:
    """The operator's settings with defaults, in the schema's order. Errors: OperatorError names the key."""
    for key in config:
        if key not in schema.properties:
            known = ", ".join(schema.properties) or "none"
            raise OperatorError(f"config.{key}: unknown key", hint=f"this plugin's settings: {known}")
    settings: dict[str, Any] = {}
    for key, setting in schema.properties.items():
        value = config.get(key, setting.default)
        if value is UNSET:
            if key in schema.required:
                raise OperatorError(f"config.{key}: missing", hint=setting.description)
            continue
        if what := setting.complaint(value):
            raise OperatorError(f"config.{key}: {what}", hint=setting.description)
        settings[key] = value
    return settings
