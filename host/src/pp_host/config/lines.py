"""Where each key of a TOML text stands, so that an error can name its line.

Laws: this is not a parser. On valid TOML it finds every table header and every `key = value` statement; on
anything else it finds what it can and never fails. Keys inside an inline table are found through the key that
holds it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PARTS = re.compile(_PART)
_STATEMENT = re.compile(
    rf"[ \t]*(?P<header>\[\[?)?[ \t]*(?P<key>{_PART}(?:[ \t]*\.[ \t]*{_PART})*)[ \t]*(?(header)\]|=)"
)
_VALUE = re.compile(  # the pieces a value is made of: strings and comments hide brackets and newlines
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[^\"'\#\[\]{}\n]+"
    r"|.",
    re.DOTALL,
)


class Key(NamedTuple):
    """A table header or a statement's key, from the root of the file."""

    path: tuple[str, ...]
    line: int


def keys(text: str) -> Iterator[Key]:
    """Every header and statement key in order; a key that is defined twice comes twice."""
    table: tuple[str, ...] = ()
    at, line = 0, 1
    while at < len(text):
        statement = _STATEMENT.match(text, at)
        if statement:
            path = tuple(_name(part) for part in _PARTS.findall(statement["key"]))
            if statement["header"]:
                table = path
            else:
                path = table + path
            yield Key(path, line)
            at = statement.end()
        end = _statement_end(text, at)
        line += text.count("\n", at, end)
        at = end


def _name(part: str) -> str:
    if part[0] == '"':
        with suppress(ValueError):  # an escape that TOML has and JSON has not
            return str(json.loads(part))
    return part.strip("\"'")


def dotted(path: tuple[str, ...]) -> str:
    """A path as the file spells it: ('plugins', 'org.example.x') -> 'plugins."org.example.x"'."""
    return ".".join(part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=False) for part in path)


def _statement_end(text: str, at: int) -> int:
    """Just behind the newline that ends the statement whose value, or rest, starts at `at`."""
    depth = 0
    for piece in _VALUE.finditer(text, at):
        part = piece[0]
        if part in ("[", "{"):
            depth += 1
        elif part in ("]", "}"):
            depth -= 1
        elif part == "\n" and depth <= 0:
            return piece.end()
    return len(text)
