"""Where a setting's value comes from: the environment, pp.toml by its line, or the default.

Laws: asked of a file that `reader` has accepted; whoever finds a source here finds the value that `reader` took.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from pp_host.config import lines
from pp_host.config.environment import PREFIX


class Source(Struct, frozen=True):
    """`line` is the key's in pp.toml, or of the inline table that holds it; None of another source."""

    kind: Literal["default", "pp.toml", "environment"]
    line: int | None = None


class Sources:
    """The sources of one accepted configuration: its text, and the environment it was read in."""

    def __init__(self, text: str, environ: Mapping[str, str]) -> None:
        self._tree = tomllib.loads(text)
        self._lines = {key.path: key.line for key in lines.keys(text)}
        self._overrides = {name.upper() for name in environ if name.startswith(PREFIX)}

    def of(self, *path: str) -> Source:
        """The source of the setting `path`, spelled as in the file: ("risk", "max_order_usd")."""
        if PREFIX + "__".join(path).upper() in self._overrides:
            return Source("environment")
        if not _holds(self._tree, path):
            return Source("default")
        return Source("pp.toml", self.line(*path))

    def line(self, *path: str) -> int | None:
        """The line of the setting `path`, else of the nearest that is around it; None where nothing of it stands."""
        nearest = (self._lines.get(path[:end]) for end in range(len(path), 0, -1))
        return next((line for line in nearest if line is not None), None)


def _holds(tree: Any, path: tuple[str, ...]) -> bool:
    for part in path:
        if not isinstance(tree, dict) or part not in tree:
            return False
        tree = tree[part]
    return True
