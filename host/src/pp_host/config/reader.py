"""pp.toml -> Config, strictly: one error names file, line, key and remedy.

Steps: 1 bounded read 2 UTF-8 3 TOML 4 every key known and every value fit 5 the environment's ordinary
settings 6 no two settings contradict each other. A Config exists only when all six have passed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec.inspect import DictType, StructType

from pp_host import disk
from pp_host.config import environment, lines
from pp_host.config.contradictions import contradiction
from pp_host.config.schema import Config, meant
from pp_host.config.values import Unfit, fit, kind, number, settings
from pp_host.errors import OperatorError, Refused
from pp_host.limits import LIMITS
from pp_host.model import PLUGIN_ID

_Section = TypeVar("_Section", bound=msgspec.Struct)
_Path = tuple[str, ...]

CHECK = "correct it, then: pp config check"


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """Read, check and override. Errors: OperatorError; Refused for live trading and forbidden overrides."""
    return parse(text_of(path), environ)


def text_of(path: Path) -> str:
    """The text of a pp.toml, unchecked. Errors: OperatorError when it cannot be read or is no UTF-8."""
    try:
        data = disk.read(path, LIMITS.package.config_bytes)
    except OSError as error:
        raise OperatorError(
            f"{path}: cannot be read: {error.strerror}",
            hint="put a copy back; an empty file means every default",
        ) from None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise OperatorError(f"pp.toml:{line}: not UTF-8 text", hint="save the file as UTF-8") from None


def parse(text: str, environ: Mapping[str, str]) -> Config:
    """As `load`, from the file's text."""
    places = list(lines.keys(text))
    tree = _tree(text, places)
    reading = _Reading(places)
    config = environment.override(reading.section(Config, tree, ()), environ)
    found = contradiction(config)
    if found:
        raise reading.fault(found.path, found.what, CHECK)
    return config


def _tree(text: str, places: list[lines.Key]) -> dict[str, Any]:
    most = LIMITS.package.config_key_parts
    for place in places:
        if len(place.path) > most:
            raise OperatorError(f"pp.toml:{place.line}: a key of more than {most} parts", hint=CHECK)
    try:
        return tomllib.loads(text, parse_float=number)
    except RecursionError:
        raise OperatorError("pp.toml: lists or tables are nested too deeply", hint=CHECK) from None
    except ValueError as error:  # TOMLDecodeError is one; a number with thousands of digits another
        raise _not_toml(str(error), text, places) from None


def _not_toml(complaint: str, text: str, places: list[lines.Key]) -> OperatorError:
    seen: dict[_Path, int] = {}
    for path, line in places:
        if path in seen:
            what = f"pp.toml:{line}: {lines.dotted(path)}: defined twice, first on line {seen[path]}"
            return OperatorError(what, hint="keep one of them")
        seen[path] = line
    at = re.search(r" \(at (?:line (\d+), column \d+|(end of document))\)$", complaint)
    if at is None:
        return OperatorError("pp.toml: not valid TOML: a number cannot be read", hint=CHECK)
    line = int(at[1] or text.count("\n") + 1)
    key = max((place for place in places if place.line <= line), key=lambda place: place.line, default=None)
    inside = key is not None and (at[2] or key.line == line)
    where = f"pp.toml:{line}: {lines.dotted(key.path)}" if key and inside else f"pp.toml:{line}"
    return OperatorError(f"{where}: not valid TOML: {_lower(complaint[: at.start()])}", hint=CHECK)


def _lower(words: str) -> str:
    return words[:1].lower() + words[1:]


class _Reading:
    """One file's tables turned into sections, with the line of every key at hand."""

    def __init__(self, places: Sequence[lines.Key]) -> None:
        self._lines = {
            place.path[:parts]: place.line  # of the first key at or below a path
            for place in reversed(places)
            for parts in range(1, len(place.path) + 1)
        }

    def section(self, section: type[_Section], table: object, path: _Path) -> _Section:
        """A table -> its section. Errors: OperatorError."""
        if not isinstance(table, dict):
            raise self.fault(path, "expected a table", CHECK)
        known = settings(section)
        values: dict[str, object] = {}
        for key, raw in table.items():
            if key not in known:
                raise self.fault((*path, key), "unknown key", meant(key, known) or CHECK)
            values[known[key].name] = self._value(known[key], raw, (*path, key))
        return section(**values)

    def _value(self, field: msgspec.structs.FieldInfo, raw: object, path: _Path) -> object:
        match kind(field):
            case StructType(cls=cls):
                return self.section(cls, raw, path)
            case DictType(value_type=StructType(cls=cls)):
                return self._named(cls, raw, path)
        if path == ("host", "mode") and raw == "live":
            what = f"{self.where(path)}: live trading is not offered by this version"
            raise Refused(what, hint='use mode = "paper" or "dry-run"')
        try:
            return fit(raw, field)
        except Unfit as error:
            raise self.fault(path, str(error), CHECK) from None

    def _named(self, section: type[_Section], raw: object, path: _Path) -> dict[str, _Section]:
        """A table of sections that the operator names: [plugins."id"], [sets.NAME]."""
        if not isinstance(raw, dict):
            raise self.fault(path, "expected a table", CHECK)
        for name in raw:
            if path == ("plugins",) and not re.fullmatch(PLUGIN_ID, name):
                raise self.fault(
                    (*path, name), "not a plugin id", 'write ids in quotes: [plugins."org.example.name"]'
                )
        return {name: self.section(section, table, (*path, name)) for name, table in raw.items()}

    def fault(self, path: _Path, what: str, hint: str) -> OperatorError:
        return OperatorError(f"{self.where(path)}: {what}", hint=hint)

    def where(self, path: _Path) -> str:
        """'pp.toml:LINE: section.key', with the line of the nearest key that has one."""
        for end in range(len(path), 0, -1):
            if path[:end] in self._lines:
                return f"pp.toml:{self._lines[path[:end]]}: {lines.dotted(path)}"
        return f"pp.toml: {lines.dotted(path)}"
