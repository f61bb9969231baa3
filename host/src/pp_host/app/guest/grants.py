"""What the sandbox alone can grant, under the names and within the bounds that `plugin.yaml` has for it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

import msgspec

from pp_host.errors import OperatorError
from pp_host.trust.manifest import PluginLimits

GRANTS: Final = ("memory_mb", "tmp_mb", "cpu_seconds_per_call")
_WORDS: Final = {"`int`": "a whole number", "`float`": "a number", "`str`": "text"}


def limits_of(words: Sequence[str], seconds: float) -> PluginLimits:
    """`words` are NAME=NUMBER; seconds: the deadline. Raises OperatorError."""
    numbers: dict[str, str] = {}
    for word in words:
        name, _, numbers[name] = word.partition("=")
        if name not in GRANTS:
            near = get_close_matches(name, GRANTS, n=1)
            hint = f"did you mean {near[0]}=N?" if near else f"it grants {', '.join(GRANTS)}"
            raise OperatorError(f"--grant {word}: nothing that the sandbox grants", hint=hint)
    try:
        return msgspec.convert({**numbers, "wall_seconds_per_call": seconds}, PluginLimits, strict=False)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$.")
        name = place.removesuffix("`")
        for kind, word in _WORDS.items():
            what = what.replace(kind, word)
        message = f"--grant {name}={numbers[name]}: {what[0].lower()}{what[1:]}"
        raise OperatorError(message, hint="the bounds are those of limits in docs/MANIFEST.md") from None
