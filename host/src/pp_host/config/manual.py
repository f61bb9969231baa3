"""The two texts made from the schema: the commented pp.toml of a new home, and docs/CONFIG.md.

Laws: nothing here is written by hand but the words around the settings; a test compares docs/CONFIG.md with
`manual()`, and reads `default_toml` back into the same Config.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

import msgspec
from msgspec.inspect import DictType, Metadata, StructType, Type, type_info
from msgspec.structs import FieldInfo
from pp_sdk.types import MICRO

from pp_host.config.environment import ORDINARY, PREFIX
from pp_host.config.schema import Budget, Config, Plugin
from pp_host.config.values import decimal_text, expectation, is_scaled, kind, settings

_HEADER = """\
# The settings of this home: every one is here with its default.
# After a change: pp config check
"""

_PREFACE = """\
# Settings: pp.toml

<!-- Made from host/src/pp_host/config/schema.py; a test keeps it current. -->

Every home has one `pp.toml`. It is read strictly: an unknown key, a wrong type, a value out of range or
two settings that contradict each other is one error that names file, line, key and remedy. `pp config check`
reads it and starts nothing. Every setting can be left out.
"""


def default_toml(plugins: Mapping[str, Plugin]) -> str:
    """A whole pp.toml, commented, that runs `plugins` (settings by id)."""
    parts = [_HEADER]
    for name, field in settings(Config).items():
        info = kind(field)
        if isinstance(info, StructType):
            parts.append(_commented_table(f"[{name}]", info.cls))
        elif name == "plugins":
            parts.extend(_plugin_table(plugin, plugins[plugin]) for plugin in plugins)
    return "\n".join(parts)


def _commented_table(title: str, section: type[msgspec.Struct]) -> str:
    out = [f"# {section.__doc__}", title]
    for key, field in settings(section).items():
        out.append(f"# {_documentation(field)} ({expectation(field)})")
        out.append(f"{key} = {_toml(_as_stated(field, _default(field)))}")
    return "\n".join(out) + "\n"


def _plugin_table(name: str, plugin: Plugin) -> str:
    out = [f'[plugins."{name}"]', f"enabled = {_toml(plugin.enabled)}"]
    if plugin.config:
        out.append(f"config = {_toml(plugin.config)}")
    if plugin.brief:
        out.append(f"brief = {_toml(plugin.brief)}")
    if plugin.budget != Budget():
        fields = settings(Budget).items()
        budget = {key: _as_stated(field, getattr(plugin.budget, field.name)) for key, field in fields}
        out.append(f"budget = {_toml(budget)}")
    return "\n".join(out) + "\n"


def _default(field: FieldInfo) -> object:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


class _Number(str):
    """A number already in the file's spelling."""


def _as_stated(field: FieldInfo, value: object) -> object:
    return _Number(decimal_text(value, MICRO)) if is_scaled(field) and isinstance(value, int) else value


def _toml(value: object) -> str:
    match value:
        case _Number():
            return str(value)
        case dict():
            return "{" + ", ".join(f"{_key(key)} = {_toml(inner)}" for key, inner in value.items()) + "}"
        case tuple() | list():
            return "[" + ", ".join(_toml(inner) for inner in value) + "]"
        case _:
            return json.dumps(value)  # TOML spells text, numbers, true and false as JSON does


def _key(key: str) -> str:
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else json.dumps(key)


def manual() -> str:
    """docs/CONFIG.md."""
    return "\n".join(_manual())


def _manual() -> Iterator[str]:
    yield _PREFACE
    for name, field in settings(Config).items():
        yield from _chapter(name, kind(field))
    yield "## From the environment\n"
    yield "Ordinary settings can also come from the environment, the value spelled as in the file:\n"
    yield from (f"- `{PREFIX}{table}__{key}`".upper() for table, keys in ORDINARY.items() for key in keys)
    yield "\nAny other `PP__...` variable is refused: what guards money or trust is changed in the file.\n"


def _chapter(name: str, info: Type) -> Iterator[str]:
    match info:
        case StructType(cls=section):
            yield f"## [{name}]\n"
        case DictType(value_type=StructType(cls=section)):
            yield f'## [{name}."ID"]\n' if section is Plugin else f"## [{name}.NAME]\n"
    yield f"{section.__doc__}\n"
    yield "| key | may be | default | what it does |"
    yield "|---|---|---|---|"
    yield from _rows(section, "")
    yield ""


def _rows(section: type[msgspec.Struct], prefix: str) -> Iterator[str]:
    for key, field in settings(section).items():
        info = kind(field)
        if isinstance(info, StructType):
            yield from _rows(info.cls, f"{key}.")
        else:
            default = _toml(_as_stated(field, _default(field)))
            yield f"| `{prefix}{key}` | {expectation(field)} | `{default}` | {_documentation(field)} |"


def _documentation(field: FieldInfo) -> str:
    info = type_info(field.type)
    assert isinstance(info, Metadata), f"{field.name} has no description"
    return str((info.extra_json_schema or {})["description"])
