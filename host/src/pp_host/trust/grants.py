"""What the operator agreed to: one file per plugin that names its exact bytes and what they may do.

Laws: a grant is for one digest. It never holds more than the manifest asks for, not even if its file is
edited by hand: `check` is asked again at every start. One spelling per grant, so that its own digest names
the consent.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from pp_host.errors import OperatorError, Refused
from pp_host.limits import LIMITS
from pp_host.model import PLUGIN_ID
from pp_host.trust import files, jsontext
from pp_host.trust.admit import VerifiedPlugin
from pp_host.trust.capability import Capability, in_micros, narrow, use
from pp_host.trust.envelope import Moment, Sha256
from pp_host.trust.manifest import PluginId, PluginLimits, Semver

_AGAIN = "remove the grant file and install the plugin again"

Held = TypeVar("Held", bound=Capability)


class Grant(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A plugin's permission to run here. `digest`: the package; money in micro-units, `granted_at` in UTC.

    briefs: of a strategy, the sha256 of each brief that the operator was shown, by its name
    """

    schema: Literal["probablyprofit/grant/v1"]
    id: PluginId
    version: Semver
    digest: Sha256
    keyid: Sha256
    publisher: str
    capabilities: tuple[Capability, ...]
    limits: PluginLimits
    granted_at: Moment
    granted_by: str
    briefs: dict[str, Sha256] = {}

    def encode(self) -> bytes:
        """The bytes of the grant file."""
        return msgspec.json.format(msgspec.json.encode(self)) + b"\n"

    @property
    def file_digest(self) -> str:
        """sha256 of the grant file, hex: names this very consent."""
        return hashlib.sha256(self.encode()).hexdigest()

    def held(self, kind: type[Held]) -> Held | None:
        """The capability of this kind, if it was granted."""
        return next((one for one in self.capabilities if isinstance(one, kind)), None)

    def check(self, plugin: VerifiedPlugin) -> None:
        """Whether the grant is for these bytes and within what they ask for. Errors: Refused."""
        found = plugin.manifest.id, plugin.manifest.version, plugin.digest
        if (self.id, self.version, self.digest) != found:
            raise Refused(
                f"{self.id}: the grant is for other bytes (sha256 {self.digest[:16]}...)", hint=_AGAIN
            )
        if self.keyid != plugin.keyid:
            raise Refused(f"{self.id}: the grant is for another publisher's key", hint=_AGAIN)
        if self.briefs != _digests(plugin):
            raise Refused(f"{self.id}: the grant is for other briefs", hint=_AGAIN)
        _narrowed(plugin.manifest.capabilities, tuple(map(msgspec.to_builtins, self.capabilities)))
        narrow(plugin.manifest.limits, msgspec.to_builtins(self.limits), "grant: limits")


class Wish(Struct, frozen=True, forbid_unknown_fields=True):
    """How the operator narrows: capabilities None means all as asked; a list grants only what it names."""

    capabilities: tuple[dict[str, Any], ...] | None = None
    limits: dict[str, Any] = {}


def read_wish(path: Path) -> Wish:
    """The operator's own grant file: JSON, amounts in dollars. Errors: OperatorError names the place."""
    wish = jsontext.read(files.read(path, LIMITS.package.config_bytes), Wish, str(path))
    if wish.capabilities is None:
        return wish
    try:
        return Wish(tuple(map(in_micros, wish.capabilities)), wish.limits)
    except ValueError as error:
        raise OperatorError(f"{path}: {error}") from None


def propose(plugin: VerifiedPlugin, wish: Wish, *, granted_by: str, now: datetime) -> Grant:
    """A grant of what the plugin asks for, narrowed by `wish`. Errors: Refused names what would be wider."""
    return Grant(
        schema="probablyprofit/grant/v1",
        id=plugin.manifest.id,
        version=plugin.manifest.version,
        digest=plugin.digest,
        keyid=plugin.keyid,
        publisher=plugin.publisher,
        capabilities=_narrowed(plugin.manifest.capabilities, wish.capabilities),
        limits=narrow(plugin.manifest.limits, wish.limits, "grant: limits"),
        granted_at=now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        granted_by=granted_by,
        briefs=_digests(plugin),
    )


def _digests(plugin: VerifiedPlugin) -> dict[str, str]:
    return {brief.name: brief.digest for brief in plugin.briefs}


def find(folder: Path, plugin_id: str) -> Grant | None:
    """The grant of a plugin, or None. Errors: OperatorError when edited, Refused when others could have."""
    path = folder / f"{plugin_id}.json"
    return _read(path) if re.match(PLUGIN_ID, plugin_id) and files.exists(path) else None


def every(folder: Path) -> list[Grant]:
    """Every grant of a home, by id. Errors: as `find`."""
    return [_read(path) for path in files.within(folder, ".json")]


def _read(path: Path) -> Grant:
    data = files.read_guarded(path, LIMITS.package.config_bytes)
    grant = jsontext.read(data, Grant, str(path))
    if grant.encode() != data or path.name != f"{grant.id}.json":
        raise OperatorError(f"{path}: edited by hand", hint=f"{_AGAIN}, with --grant FILE to narrow it")
    return grant


def _narrowed(
    asked: tuple[Capability, ...], wished: tuple[dict[str, Any], ...] | None
) -> tuple[Capability, ...]:
    if wished is None:
        return asked
    left = {use(capability): capability for capability in asked}
    granted = []
    for wish in wished:
        name = str(wish.get("use", ""))
        if name not in left:
            hint = f"asked for: {', '.join(map(use, asked)) or 'nothing'}"
            raise Refused(f"grant: {name[:40]!r}: not asked for, or named twice", hint=hint)
        granted.append(narrow(left.pop(name), wish, f"grant: {name}"))
    return tuple(granted)
