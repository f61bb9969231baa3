"""A strategy's briefs: texts in its package that tell agents what the operator wants traded.

Laws: a brief is what the operator read when the package was installed, character for character: plain text that a
screen shows whole, so that nothing in it speaks to an agent alone. It is taken from the verified archive, never from
a running plugin. Its digest is that of the file's bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

from pp_sdk.types import BRIEF_MOST, Brief

from pp_host.errors import OperatorError
from pp_host.limits import LIMITS

# Printable by their category and yet nothing on a screen: what isprintable() leaves of Unicode's
# Default_Ignorable_Code_Point (joiners, fillers, variation selectors, tags), and signs that are drawn as nothing: the
# blank braille pattern, the object replacement character, the Khitan filler, the null notehead.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufffc"
    "\U00016fe4\U0001d159\U000e0000-\U000e0fff]"
)


def read_briefs(paths: Mapping[str, str], files: Mapping[str, bytes], manifest: str) -> tuple[Brief, ...]:
    """Every brief that `manifest` names, in its order. Errors: OperatorError with the key, or the file and its line."""
    briefs = []
    for name, path in paths.items():
        if path not in files:
            raise OperatorError(f"{manifest}: briefs.{name}: no {path} in the package")
        digest = hashlib.sha256(files[path]).hexdigest()
        briefs.append(Brief(name=name, text=_text(files[path], path), digest=digest))
    return tuple(briefs)


def _text(data: bytes, path: str) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise OperatorError(f"{path}:{line}: not UTF-8 text", hint="save the file as UTF-8") from None
    least = LIMITS.package.brief_chars_min
    if not least <= len(text) <= BRIEF_MOST:
        raise OperatorError(f"{path}: {len(text)} characters, a brief has {least} to {BRIEF_MOST}")
    for line, unseen in _unseen(text):
        raise OperatorError(
            f"{path}:{line}: holds {unseen!a}, which a screen does not show",
            hint="a brief is printable text and line ends: whoever installs it must see all of it",
        )
    return text


def _unseen(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        for character in line:
            if not character.isprintable() or _BLANK.match(character):
                yield number, character
