"""The YAML of plugin.yaml: mappings, lists, text, plain numbers, true and false; nothing that reads two ways.

Laws: built from parser events with an explicit stack, so no depth of input can exhaust ours and no YAML
constructor ever runs. Refused: anchors, aliases, tags, directives, merge keys, a second document, a key
twice or not text, unprintable characters, and every plain word that YAML 1.1 would silently turn into
something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

import yaml

from pp_host.errors import OperatorError
from pp_host.limits import LIMITS

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}")
_TEXT = "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its value, and for each place (`capabilities[0].reason`) the line it stands on."""

    name: str
    value: object
    lines: dict[str, int]

    def fail(self, place: str, what: str, hint: str = "") -> NoReturn:
        """Raise the OperatorError `FILE:LINE: PLACE: what`; an absent place takes its parent's line."""
        parent = place
        while parent and parent not in self.lines:
            parent = parent[: max(parent.rfind("."), parent.rfind("["), 0)]
        at = f"{self.name}:{self.lines.get(parent, 1)}: "
        raise OperatorError(f"{at}{place}: {what}" if place else at + what, hint=hint)


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come yet."""

    place: str
    value: dict[str, Any] | list[Any]
    key: str | None = None


def load(data: bytes, name: str) -> Document:
    """Parse one strict document. Errors: OperatorError `NAME:LINE: place: what`."""
    if len(data) > LIMITS.package.manifest_bytes:
        raise OperatorError(f"{name}: larger than {LIMITS.package.manifest_bytes} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise OperatorError(f"{name}:{line}: not UTF-8", hint="save the file as UTF-8") from None
    return _Builder(name).build(_events(text, name))


def _events(text: str, name: str) -> Iterator[yaml.Event]:
    line = 1
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = _line(event)
            yield event
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else line
        raise OperatorError(f"{name}:{line}: not YAML: {error.problem}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise OperatorError(f"{name}:{line}: unprintable character {error.character:#06x}") from None
    except (ValueError, OverflowError):  # PyYAML's own slips: escapes and version numbers beyond all measure
        raise OperatorError(f"{name}:{line}: not YAML: a character or number that does not exist") from None


def _reads_as(plain: str) -> str:
    """The tag that YAML 1.1 gives an unquoted word, by PyYAML's table of first characters and patterns."""
    candidates = yaml.SafeLoader.yaml_implicit_resolvers.get(plain[:1], [])
    return next((tag for tag, pattern in candidates if pattern.match(plain)), _TEXT)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


class _Builder:
    def __init__(self, name: str) -> None:
        self._document = Document(name, None, {})
        self._stack: list[_Open] = []
        self._root: list[object] = []

    def build(self, events: Iterable[yaml.Event]) -> Document:
        for event in events:
            self._take(event)
        if not self._root:
            self._document.fail("", "the file is empty")
        return Document(self._document.name, self._root[0], self._document.lines)

    def _take(self, event: yaml.Event) -> None:
        line = _line(event)
        self._check_plain(event, line)
        match event:
            case yaml.ScalarEvent():
                self._scalar(event, line)
            case yaml.MappingStartEvent():
                self._open({}, line)
            case yaml.SequenceStartEvent():
                self._open([], line)
            case yaml.CollectionEndEvent():
                self._stack.pop()
            case yaml.DocumentStartEvent() if self._root:
                self._fail(line, "a second document; the file must hold one")

    def _check_plain(self, event: yaml.Event, line: int) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            self._fail(line, "anchors and aliases are not allowed", "write the value out where it is used")
        if getattr(event, "tag", None) is not None:
            self._fail(line, "tags (`!...`) are not allowed")
        if isinstance(event, yaml.DocumentStartEvent) and (event.version or event.tags):
            self._fail(line, "directives (`%...`) are not allowed")

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if not event.value.isprintable():
            self._fail(line, "text must be one line of printable characters")
        value = self._value(event, line)
        parent = self._stack[-1] if self._stack else None
        if parent is None or isinstance(parent.value, list) or parent.key is not None:
            self._put(value, line)
        elif not isinstance(value, str):
            self._fail(line, f"the key {event.value[:40]!r} is not text")
        elif len(value) > LIMITS.package.manifest_key_chars:
            self._fail(line, f"a key of more than {LIMITS.package.manifest_key_chars} characters")
        else:
            self._name(parent, value, line)

    def _name(self, parent: _Open, key: str, line: int) -> None:
        """Take `key` as the name of the value that comes next."""
        parent.key = key
        place = self._place()
        if key in parent.value:
            self._fail(line, "this key stands twice", f"the first is on line {self._document.lines[place]}")
        self._document.lines[place] = line

    def _value(self, event: yaml.ScalarEvent, line: int) -> object:
        """A scalar in JSON's spelling is what it looks like; any other that YAML would convert is refused."""
        text: str = event.value
        if not event.implicit[0]:
            return text
        if text in {"true", "false"}:
            return text == "true"
        if _INTEGER.fullmatch(text):
            return int(text)
        if _DECIMAL.fullmatch(text):
            return Decimal(text)
        if _reads_as(text) != _TEXT:
            what = f"{text[:40]!r} reads differently in different YAML readers" if text else "no value"
            self._fail(line, what, "put text in quotes; write numbers plainly")
        return text

    def _open(self, value: dict[str, Any] | list[Any], line: int) -> None:
        if len(self._stack) == LIMITS.package.manifest_depth:
            self._fail(line, f"nested deeper than {LIMITS.package.manifest_depth} levels")
        place = self._put(value, line)
        self._stack.append(_Open(place, value))

    def _put(self, value: object, line: int) -> str:
        """Add a finished or just opened value to the innermost open one; its place."""
        if not self._stack:
            self._root.append(value)
            return ""
        parent = self._stack[-1]
        if isinstance(parent.value, list):
            place = f"{parent.place}[{len(parent.value)}]"
            parent.value.append(value)
            self._document.lines[place] = line
            return place
        if parent.key is None:
            self._fail(line, "a key must be text")
        place = self._place()
        parent.value[parent.key] = value
        parent.key = None
        return place

    def _fail(self, line: int, what: str, hint: str = "") -> NoReturn:
        place = self._place()
        where = f"{self._document.name}:{line}: "
        raise OperatorError(f"{where}{place}: {what}" if place else where + what, hint=hint)

    def _place(self) -> str:
        if not self._stack:
            return ""
        parent = self._stack[-1]
        return f"{parent.place}.{parent.key}".removeprefix(".") if parent.key is not None else parent.place
