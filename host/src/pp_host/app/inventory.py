"""What is installed in a home: each grant, the kind of its verified package, and whether pp.toml wants it.

Laws: looking changes nothing. A package that does not verify, or settings that cannot be read, hide no row: what is not
known is called so.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from pp_host.app.operator import store_of
from pp_host.config import load
from pp_host.config.schema import Plugin
from pp_host.errors import OperatorError
from pp_host.home import Home
from pp_host.trust.grants import Grant
from pp_host.trust.store import Store
from pp_host.trust.truststore import TrustStore

UNKNOWN = "unknown"


class Installed(NamedTuple):
    """`kind` as its manifest says it, `state` enabled, resting or unset (no section in pp.toml); else UNKNOWN."""

    grant: Grant
    kind: str
    state: str


def installed(home: Home) -> list[Installed]:
    """Every installed plugin, by id."""
    store, wanted = store_of(home), _wanted(home)
    return [Installed(grant, _kind(home, store, grant), _state(grant, wanted)) for grant in store.installed()]


def _kind(home: Home, store: Store, grant: Grant) -> str:
    try:
        verified, _ = store.load(grant.id, TrustStore.open(home.trust_file))
    except OperatorError:
        return UNKNOWN
    return verified.manifest.kind


def _wanted(home: Home) -> Mapping[str, Plugin] | None:
    try:
        return load(home.config_file, os.environ).plugins
    except OperatorError:
        return None


def _state(grant: Grant, wanted: Mapping[str, Plugin] | None) -> str:
    if wanted is None:
        return UNKNOWN
    if grant.id not in wanted:
        return "unset"
    return "enabled" if wanted[grant.id].enabled else "resting"
