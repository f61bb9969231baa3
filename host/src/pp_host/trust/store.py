"""What is installed: packages by digest, and one grant per plugin that makes one of them current.

Laws: a package is read once and verified from that buffer, at install and again at every start; no path is
opened between the checks and the use. Files under a digest never change (0444). A new grant lies beside the old
one until it has been recorded, and which of the two counts is what the record says: a kill at any moment leaves the
old plugin or the new one, and nothing in between. A removal is announced beside the grant, recorded, and then carried
out, by the next command if need be, which looks whether the record's last word is this removal and no earlier one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pp_host.errors import OperatorError
from pp_host.limits import LIMITS
from pp_host.trust import files, grants
from pp_host.trust.admit import Rejected, VerifiedPlugin, verify
from pp_host.trust.archive import SUFFIX
from pp_host.trust.envelope import SIDECAR_SUFFIX
from pp_host.trust.grants import Grant, Wish
from pp_host.trust.truststore import TrustStore
from pp_host.trust.version import precedence

_NEXT, _GONE = ".next", ".gone"
KEPT, ERASED = "kept", "erased"  # what became of what a removed plugin kept


@dataclass(frozen=True, slots=True)
class Offer:
    """A verified package and the grant it would get; nothing is installed yet."""

    plugin: VerifiedPlugin
    sidecar: bytes
    grant: Grant


@dataclass(frozen=True, slots=True)
class Store:
    """The two folders of a home: `packages` by digest, and `grants` by plugin id."""

    packages: Path
    grants: Path

    def offer(self, path: Path, trust: TrustStore, wish: Wish, *, granted_by: str, now: datetime) -> Offer:
        """A verified package and what it asks for, narrowed. Errors: as `examine`; Refused (a wish too wide)."""
        plugin, sidecar = self.examine(path, trust)
        return Offer(plugin, sidecar, grants.propose(plugin, wish, granted_by=granted_by, now=now))

    def examine(self, path: Path, trust: TrustStore) -> tuple[VerifiedPlugin, bytes]:
        """A package that could be installed here, and its sidecar.

        Errors: Rejected (a numbered check), OperatorError (unreadable).
        """
        package, sidecar = read_package(path)
        plugin = verify(package, sidecar, trust, archive_name=path.name)
        self.check_succession(plugin)
        return plugin, sidecar

    def install(self, offer: Offer, record: Callable[[Grant], object]) -> None:
        """Make an offer the current plugin of its id, from the moment that `record` has written it down durably."""
        digest, grant = offer.plugin.digest, offer.grant
        with files.locked(self.grants):
            self.check_succession(offer.plugin)
            for draft in self.packages.glob(".*"):  # of an installation that was killed
                draft.unlink()
            files.write(self._package(digest), offer.plugin.archive, 0o444)
            files.write(self._sidecar(digest), offer.sidecar, 0o444)
            files.write(self._next(grant.id), grant.encode(), 0o600)
            record(grant)
            files.rename(self._next(grant.id), self.grants / f"{grant.id}.json")

    def remove(
        self, plugin_id: str, *, keep_data: bool, record: Callable[[], object], erase: Callable[[str], object]
    ) -> None:
        """Take package and grant away from the moment that `record` has written it down durably; `erase` what the
        plugin kept, unless that stays. A plugin that is not installed may have left something to erase."""
        with files.locked(self.grants):
            grant = grants.find(self.grants, plugin_id)
            digest = grant.digest if grant else ""
            note = announcement(KEPT if keep_data else ERASED, digest)
            files.write(self._gone(plugin_id), note.encode(), 0o600)
            record()
            self._take_away(plugin_id, note, erase)

    def _take_away(self, plugin_id: str, note: str, erase: Callable[[str], object]) -> None:
        """Do what was announced; done again it goes on."""
        what, _, digest = note.partition(" ")
        if what == ERASED:
            erase(plugin_id)
        for path in (self.grants / f"{plugin_id}.json", self._package(digest), self._sidecar(digest)):
            files.remove(path)
        files.remove(self._gone(plugin_id))

    def finish(self, recorded: Callable[[], Mapping[str, str]], erase: Callable[[str], object]) -> None:
        """Carry through what was recorded and then interrupted, and drop what was not.

        recorded: the record's last word on each plugin, by id: the sha256 of its grant, or a removal's announcement
        """
        if not files.within(self.grants, _NEXT) and not files.within(self.grants, _GONE):
            return
        with files.locked(self.grants):
            last = recorded()
            for path in files.within(self.grants, _NEXT):
                plugin = path.name[1 : -len(_NEXT)]
                data = files.read_guarded(path, LIMITS.package.config_bytes)
                if hashlib.sha256(data).hexdigest() == last.get(plugin):
                    files.rename(path, self.grants / f"{plugin}.json")
                else:
                    path.unlink()
            for path in files.within(self.grants, _GONE):
                plugin = path.name[1 : -len(_GONE)]
                note = files.read_guarded(path, LIMITS.package.config_bytes).decode()
                if note == last.get(plugin):
                    self._take_away(plugin, note, erase)
                else:
                    path.unlink()

    def load(self, plugin_id: str, trust: TrustStore) -> tuple[VerifiedPlugin, Grant]:
        """The current plugin of an id, verified anew from the bytes that will run. Errors: Rejected, Refused."""
        grant = grants.find(self.grants, plugin_id)
        if grant is None:
            raise OperatorError(f"{plugin_id}: not installed", hint="pp plugin install FILE")
        package = files.read(self._package(grant.digest), LIMITS.package.archive_bytes)
        sidecar = files.read(self._sidecar(grant.digest), LIMITS.package.sidecar_bytes)
        plugin = verify(package, sidecar, trust, archive_name=f"{grant.id}-{grant.version}{SUFFIX}")
        grant.check(plugin)
        return plugin, grant

    def installed(self) -> list[Grant]:
        """Every grant, by id."""
        return grants.every(self.grants)

    def check_succession(self, plugin: VerifiedPlugin) -> None:
        """Checks 8 and 9, against what is installed. Errors: Rejected."""
        current = grants.find(self.grants, plugin.manifest.id)
        if current is None:
            return
        # 8 the version only rises, and one version is one set of bytes
        new, old = plugin.manifest.version, current.version
        if precedence(new) < precedence(old):
            raise Rejected(8, f"{current.id} {new} is older than the installed {old}")
        if new == old and plugin.digest != current.digest:
            raise Rejected(
                8, f"{current.id} {new} is installed already, with other bytes", hint="raise the version"
            )
        # 9 the publisher of this id is unchanged
        if plugin.keyid != current.keyid:
            was, now = current.publisher, plugin.publisher
            raise Rejected(
                9, f"{current.id} was installed from {was} ({current.keyid[:16]}), this is from {now}"
            )

    def _next(self, plugin_id: str) -> Path:
        return self.grants / f".{plugin_id}{_NEXT}"

    def _gone(self, plugin_id: str) -> Path:
        return self.grants / f".{plugin_id}{_GONE}"

    def _package(self, digest: str) -> Path:
        return self.packages / f"{digest}{SUFFIX}"

    def _sidecar(self, digest: str) -> Path:
        return self.packages / f"{digest}{SUFFIX}{SIDECAR_SUFFIX}"


def announcement(data: str, digest: str) -> str:
    """What a removal is to do: `data` is KEPT or ERASED, `digest` the package's, empty when none is installed."""
    return f"{data} {digest}"


def read_package(path: Path) -> tuple[bytes, bytes]:
    """An archive and the sidecar beside it. Errors: Rejected (1) when unsigned, OperatorError."""
    package = files.read(path, LIMITS.package.archive_bytes)
    sidecar = path.with_name(path.name + SIDECAR_SUFFIX)
    if not os.path.lexists(sidecar):
        raise Rejected(
            1, f"not signed: there is no {sidecar.name} beside it", hint="sign your own with `pp plugin sign`"
        )
    return package, files.read(sidecar, LIMITS.package.sidecar_bytes)
