"""trust.json: the publishers whose signatures count here, for which plugins, and up to which capabilities.

Laws: one plain file in the home that only its owner can write. A key counts only for the plugin ids its
patterns name and never above its ceiling. A public key stands once, whatever it is called. An absent file
trusts nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from pp_host.errors import OperatorError
from pp_host.limits import LIMITS
from pp_host.trust import files, jsontext
from pp_host.trust.capability import OFFERED
from pp_host.trust.keys import PublicKey, read_public

_NAME = r"\A[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}\Z"
# `*`, one id, or everything below a prefix; `org.example.*` does not cover `org.examples`.
_PATTERN = r"\A(?=.{1,128}\Z)(?:\*|[a-z0-9-]+(?:\.[a-z0-9-]+)*(?:\.\*)?)\Z"

KeyName = Annotated[str, Meta(pattern=_NAME)]
Pattern = Annotated[str, Meta(pattern=_PATTERN)]


class TrustedKey(Struct, frozen=True, forbid_unknown_fields=True):
    """One publisher. `max_capabilities` None means no ceiling."""

    name: KeyName
    keyid: str
    public: str
    plugins: Annotated[tuple[Pattern, ...], Meta(min_length=1)]
    max_capabilities: tuple[str, ...] | None = None

    @property
    def key(self) -> PublicKey:
        return read_public(self.public)[0]

    def covers(self, plugin_id: str) -> bool:
        return any(_matches(pattern, plugin_id) for pattern in self.plugins)

    def allows(self, names: Iterable[str]) -> bool:
        return self.max_capabilities is None or set(names) <= set(self.max_capabilities)


class TrustStore(Struct, frozen=True, forbid_unknown_fields=True):
    """Every enrolled publisher, by name. A change is a new store."""

    schema: Literal["probablyprofit/trust/v1"] = "probablyprofit/trust/v1"
    keys: tuple[TrustedKey, ...] = ()

    @classmethod
    def open(cls, path: Path) -> TrustStore:
        """Read the trust file. Errors: Refused when others could have written it, OperatorError."""
        if not files.exists(path):
            return cls()
        store = jsontext.read(files.read_guarded(path, LIMITS.package.config_bytes), cls, str(path))
        checked = cls()
        for key in store.keys:
            checked = checked.with_key(key)
        return checked

    def find(self, keyid: str) -> TrustedKey | None:
        return next((key for key in self.keys if key.keyid == keyid), None)

    def with_key(self, key: TrustedKey) -> TrustStore:
        """This store and one more publisher. Errors: OperatorError for a key or name enrolled already."""
        if key.key.keyid != key.keyid:
            raise OperatorError(f"trusted key {key.name}: keyid is not that of its public key")
        for other in self.keys:
            if key.keyid == other.keyid or key.name == other.name:
                raise OperatorError(
                    f"trusted key {key.name}: enrolled already as {other.name} ({other.keyid[:16]})"
                )
        unknown = set(key.max_capabilities or ()) - OFFERED
        if unknown:
            raise OperatorError(
                f"trusted key {key.name}: no such capability: {', '.join(sorted(unknown))}",
                hint=f"offered here: {', '.join(sorted(OFFERED))}",
            )
        return msgspec.structs.replace(self, keys=(*self.keys, key))

    def save(self, path: Path) -> None:
        files.write(path, msgspec.json.format(msgspec.json.encode(self)) + b"\n", 0o600)


def enrol(
    public: str, name: str, plugins: Iterable[str], max_capabilities: Iterable[str] | None
) -> TrustedKey:
    """A trust entry for a public key line; `name` empty takes the key's comment. Errors: OperatorError."""
    key, comment = read_public(public)
    name, patterns = name or comment or key.keyid[:16], tuple(plugins)
    if not re.match(_NAME, name):
        raise OperatorError(
            f"{name!r}: not a publisher's name", hint="letters, digits, spaces and ._@-, at most 64"
        )
    if len(patterns) > LIMITS.package.patterns:
        raise OperatorError(
            f"{len(patterns)} patterns: more than {LIMITS.package.patterns}",
            hint="`prefix.*` covers every id below it",
        )
    for pattern in patterns or ("",):
        if not re.match(_PATTERN, pattern):
            raise OperatorError(f"{pattern!r}: not a pattern", hint="a plugin id, `prefix.*` or `*`")
    ceiling = None if max_capabilities is None else tuple(dict.fromkeys(max_capabilities))
    return TrustedKey(name, key.keyid, key.line(), patterns, ceiling)


def succeeding(new: TrustedKey, store: TrustStore, name: str, file: Path) -> tuple[TrustedKey, TrustStore]:
    """What is to be enrolled, and the store without the entry whose patterns it replaces, if there is one.

    `name` is the operator's, or empty; `file` is named in the hint. A name and a ceiling outlive their patterns
    unless a ceiling is named: nothing widens unasked. Errors: OperatorError for another name, or for no change.
    """
    old = store.find(new.keyid)
    if old is None:
        return new, store
    ceiling = old.max_capabilities if new.max_capabilities is None else new.max_capabilities
    if (name or old.name) != old.name or (new.plugins, ceiling) == (old.plugins, old.max_capabilities):
        what = f"trusted key {name or old.name}: enrolled already as {old.name} ({old.keyid[:16]})"
        hint = f"it stands in {file}; the same command with other --plugins replaces its patterns"
        raise OperatorError(what, hint=hint)
    others = tuple(key for key in store.keys if key is not old)
    return (
        msgspec.structs.replace(new, name=old.name, max_capabilities=ceiling),
        msgspec.structs.replace(store, keys=others),
    )


def _matches(pattern: str, plugin_id: str) -> bool:
    if pattern == "*" or pattern == plugin_id:
        return True
    return pattern.endswith(".*") and plugin_id.startswith(pattern.removesuffix("*"))
