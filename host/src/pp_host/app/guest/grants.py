"""What the sandbox alone can grant, under the names and within the bounds that `plugin.yaml` has for it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

import msgspec

from pp_host.errors import OperatorError
from pp_host.trust.manifest import PluginLimits

GRANTS: Final = ("memory_mb", "tmp_mb", "cpu_seconds_per_call")


def limits_of(words: Sequence[str], seconds: float) -> PluginLimits:
    """`words` are NAME=NUMBER; seconds: the deadline. Raises OperatorError."""
    fields: dict[str, str | float] = {"wall_seconds_per_call": seconds}
    for word in words:
        name, _, number = word.partition("=")
        if name not in GRANTS:
            near = get_close_matches(name, GRANTS, n=1)
            hint = (
                f"did you mean {near[0]}=N?" if near else f"what a guest can be granted: {', '.join(GRANTS)}"
            )
            raise OperatorError(f"--grant {word}: nothing that the sandbox grants", hint=hint)
        fields[name] = number
    try:
        return msgspec.convert(fields, PluginLimits, strict=False)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$.")
        name = place.removesuffix("`")
        raise OperatorError(
            f"--grant {name}={fields.get(name)}: {what[0].lower()}{what[1:]}", hint="..."
        ) from None
