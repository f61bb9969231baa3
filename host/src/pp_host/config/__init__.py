"""pp.toml: what an operator may tune, read strictly into frozen types.

Laws: one error names the file, line, key and remedy, and nothing half-read is ever returned. Money and
fractions become integers without passing through a float. The environment may change ordinary settings only;
what guards money or trust is changed in the file, where it is seen.
"""

from __future__ import annotations

from pp_host.config.manual import default_toml, manual
from pp_host.config.reader import load, parse, text_of
from pp_host.config.schema import Budget, Config, Plugin

__all__ = [
    "Budget",
    "Config",
    "Plugin",
    "default_toml",
    "load",
    "manual",
    "parse",
    "text_of",
]
