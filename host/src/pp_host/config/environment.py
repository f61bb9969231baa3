"""Ordinary settings from the environment: PP__SECTION__KEY=value, the value as it would stand in pp.toml.

Laws: an allow-list, so that a setting is protected until someone decides otherwise. What guards money, keys
or trust is never taken from the environment: it would be a bypass with another name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

import msgspec
from msgspec.structs import FieldInfo

from pp_host.config.schema import Config, meant
from pp_host.config.values import Unfit, fit, number, settings
from pp_host.errors import OperatorError, Refused

PREFIX = "PP__"
ORDINARY = {
    "host": ("cycle_seconds",),
    "deadlines": ("snapshot_seconds", "select_seconds", "decide_seconds", "advise_seconds"),
    "tape": ("spread_ticks", "depth_usd", "tick"),
    "paper": ("fee_rate",),
}
_GUARDED = set(settings(Config)) - set(ORDINARY) | {"trust", "secrets", "egress", "grants"}


def override(config: Config, environ: Mapping[str, str]) -> Config:
    """`config` with the environment's settings. Errors: Refused (a guarded setting), OperatorError."""
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        config = _overridden(config, variable, environ[variable])
    return config


def _overridden(config: Config, variable: str, text: str) -> Config:
    section, _, key = variable.removeprefix(PREFIX).lower().partition("__")
    known = _settings_of(config, section)
    if section in _GUARDED or (key in known and key not in ORDINARY[section]):
        raise Refused(
            f"{variable}: this setting cannot come from the environment",
            hint=f"unset {variable}; edit pp.toml",
        )
    if key not in known:
        names = [f"{PREFIX}{table}__{name}".upper() for table, keys in ORDINARY.items() for name in keys]
        raise OperatorError(
            f"{variable}: no such setting", hint=meant(variable, names) or f"unset {variable}"
        )
    field = known[key]
    try:
        value = fit(_toml_value(text), field)
    except Unfit as error:
        raise OperatorError(f"{variable}: {error}", hint=f"correct or unset {variable}") from None
    changed = msgspec.structs.replace(getattr(config, section), **{field.name: value})
    return msgspec.structs.replace(config, **{section: changed})


def _settings_of(config: Config, section: str) -> Mapping[str, FieldInfo]:
    if section not in ORDINARY:
        return {}
    kind: type[msgspec.Struct] = type(getattr(config, section))
    return settings(kind)


def _toml_value(text: str) -> object:
    """One TOML value; anything else is text, which no ordinary setting accepts."""
    if len(text) > 64 or not text.isprintable():
        return text
    try:
        return tomllib.loads(f"value = {text}", parse_float=number)["value"]
    except ValueError:
        return text
