"""From the configured ids to what runs: every package read once, verified, and matched with its grant and budget."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pp_sdk.types import Brief

from pp_host.app.operator import recorded_grants, store_of
from pp_host.config import Config, text_of
from pp_host.config.schema import meant
from pp_host.config.sources import Sources
from pp_host.core.policy import Budget
from pp_host.errors import OperatorError, Refused
from pp_host.home import Home
from pp_host.limits import LIMITS, MIB
from pp_host.model import PluginRef
from pp_host.supervisor.spec import PluginSpec
from pp_host.trust.admit import VerifiedPlugin
from pp_host.trust.capability import (
    EVENT_KINDS,
    AccountRead,
    Capability,
    DecisionPropose,
    MarketRead,
    Notify,
    RiskAdvise,
    StorageAppend,
    StorageKv,
)
from pp_host.trust.grants import Grant
from pp_host.trust.schema import validate_config
from pp_host.trust.truststore import TrustStore

# What a plugin of a kind is shown by being called at all; without it in the grant it is not called.
NEEDED: Mapping[str, type[Capability]] = {
    "strategy": MarketRead,
    "agent": MarketRead,
    "risk": RiskAdvise,
    "output": Notify,
}
BRIEFED = frozenset({"strategy", "agent"})
"""Kinds that are given the run's brief."""


@dataclass(frozen=True, slots=True)
class Enlisted:
    """One plugin ready to start, how much of the account its decisions may use (None: it may decide nothing), and how
    many bytes of values and of lines it may keep."""

    spec: PluginSpec
    budget: Budget | None
    value_bytes: int
    line_bytes: int


class Loaded(NamedTuple):
    """A verified plugin with what it may do, its settings, and of a strategy the brief that the operator named."""

    verified: VerifiedPlugin
    grant: Grant
    settings: dict[str, Any]
    brief: Brief | None


def enlist(home: Home, config: Config, ids: tuple[str, ...], *, level: str, seed: int) -> list[Enlisted]:
    """Verify and load each plugin.

    OperatorError or Refused names the first that cannot run, with the remedy; a setting's with its line of pp.toml.
    """
    loaded = list(_loaded(home, config, ids))
    brief = next((one.brief for one in loaded if one.brief is not None), None)
    enlisted = []
    for one in loaded:
        kind = one.verified.manifest.kind
        spec = _spec(one, level, seed, _deadline(config, kind), brief if kind in BRIEFED else None)
        values, lines = one.grant.held(StorageKv), one.grant.held(StorageAppend)
        enlisted.append(
            Enlisted(
                spec,
                _budget(one.grant, config),
                value_bytes=values.mb * MIB if values else 0,
                line_bytes=lines.mb * MIB if lines else 0,
            )
        )
    return enlisted


def brief_in(enlisted: Sequence[Enlisted]) -> dict[str, str] | None:
    """Which text agents are given in a run, and whose it is; None without a strategy."""
    for one in enlisted:
        if one.spec.kind == "strategy" and one.spec.brief is not None:
            return {"plugin": one.spec.ref.id, "name": one.spec.brief.name, "digest": one.spec.brief.digest}
    return None


def check_plugins(home: Home, config: Config) -> None:
    """Whether every enabled plugin could be enlisted; nothing is started. Errors: those of `enlist`."""
    for _ in _loaded(home, config, config.enabled()):
        pass


def _loaded(home: Home, config: Config, ids: tuple[str, ...]) -> Iterator[Loaded]:
    """Each plugin verified, with the grant that the record knows and settings that its schema allows."""
    if not ids:
        raise OperatorError(
            "pp.toml: no plugin is enabled", hint="set enabled = true for one, or name a set with --set"
        )
    trust, store, recorded = TrustStore.open(home.trust_file), store_of(home), recorded_grants(home)
    installed = [grant.id for grant in store.installed()]
    strategy = ""
    for plugin in ids:
        if plugin not in installed:
            what, hint = _located(home, plugin, "not installed"), meant(plugin, installed)
            raise OperatorError(what, hint=f"{hint or 'pp plugin list'}; or: pp plugin install FILE")
        verified, grant = store.load(plugin, trust)
        if recorded.get(plugin) != grant.file_digest:
            raise Refused(
                f"{plugin}: its grant is not the one that was recorded when it was installed",
                hint="somebody changed or put back a file under grants/; look, then install it again",
            )
        _check_callable(grant, verified.manifest.kind)
        if verified.manifest.kind == "strategy":
            strategy = _only_strategy(home, plugin, strategy)
        try:
            yield Loaded(verified, grant, _settings(verified, config), _brief(verified, config))
        except OperatorError as error:
            raise OperatorError(_located(home, plugin, str(error)), hint=error.hint) from None


def _only_strategy(home: Home, plugin: str, other: str) -> str:
    """`plugin`, unless there is another strategy already. Errors: OperatorError."""
    if other:
        what = f"a second strategy beside {other}: one serves every agent of a run"
        raise OperatorError(_located(home, plugin, what), hint="enabled = false for one of them")
    return plugin


def _located(home: Home, plugin: str, what: str) -> str:
    """`what` begins with the setting's key below the plugin's section; one in an inline table has its table's line."""
    below = what.partition(":")[0].split(".") if what.startswith(("config.", "config:", "brief:")) else ()
    path = ("plugins", plugin, *below)
    line = Sources(text_of(home.config_file), {}).line(*path)
    where = f'pp.toml{f":{line}" if line else ""}: plugins."{plugin}"'
    return f"{where}.{what}" if below else f"{where}: {what}"


def _check_callable(grant: Grant, kind: str) -> None:
    needed = NEEDED.get(kind)
    if needed is not None and grant.held(needed) is None:
        name = needed.__struct_config__.tag
        raise Refused(
            f"{grant.id}: its grant has no {name}, so this {kind} would never be called",
            hint=f"install it again with {name} granted, or set enabled = false",
        )


def seed_of(seed: int, plugin: str) -> int:
    """Every plugin has its own seed, the same in every run with the session's `seed`; 32 bits."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{plugin}".encode()).digest()[:4], "big")


def hash_seed_of(seed: int) -> int:
    """By which Python orders sets in every plugin of the session; 32 bits."""
    return seed_of(seed, "")


def _deadline(config: Config, kind: str) -> float:
    """How long a cycle waits for a plugin of this kind, whatever it waits on itself."""
    deadlines = config.deadlines
    seconds = {
        "source": deadlines.snapshot_seconds,
        "strategy": deadlines.select_seconds,
        "agent": deadlines.decide_seconds,
        "risk": deadlines.advise_seconds,
    }
    return seconds.get(kind, LIMITS.wire.call_outer_seconds)


def _settings(verified: VerifiedPlugin, config: Config) -> dict[str, Any]:
    plugin = verified.manifest.id
    wanted = config.plugins[plugin].config if plugin in config.plugins else {}
    if verified.schema is None:
        if wanted:
            raise OperatorError("config: this plugin takes no settings", hint="remove the key")
        return {}
    return validate_config(verified.schema, wanted)


def _brief(verified: VerifiedPlugin, config: Config) -> Brief | None:
    """The brief that pp.toml names, or the only one. Errors: OperatorError."""
    plugin = verified.manifest.id
    named = config.plugins[plugin].brief if plugin in config.plugins else ""
    briefs = {brief.name: brief for brief in verified.briefs}
    if not named and len(briefs) <= 1:
        return next(iter(briefs.values()), None)
    if not briefs:
        raise OperatorError("brief: this plugin has none", hint="remove the key")
    if named not in briefs:
        what = f"this plugin has no brief {named!r}" if named else "not named, and this plugin has several"
        raise OperatorError(f"brief: {what}", hint=f"write one of {', '.join(briefs)}")
    return briefs[named]


def _spec(one: Loaded, level: str, seed: int, outer: float, brief: Brief | None) -> PluginSpec:
    verified, grant = one.verified, one.grant
    manifest, limits = verified.manifest, grant.limits
    seen, account = grant.held(MarketRead), grant.held(AccountRead)
    told = grant.held(Notify)
    # An output's call holds many events, and the last one begins when others have had this much time.
    before = LIMITS.supervision.output_batch_seconds if manifest.kind == "output" else 0.0
    return PluginSpec(
        ref=PluginRef(manifest.id, manifest.version, verified.digest),
        kind=manifest.kind,
        archive=verified.archive,
        module=manifest.entry.module,
        object=manifest.entry.object,
        hooks=manifest.hooks,  # type: ignore[arg-type]  # RULES of the manifest name no other hooks
        config=one.settings,
        seed=seed_of(seed, manifest.id),
        hash_seed=hash_seed_of(seed),
        grant=grant.file_digest,
        level=level,
        venues=_venues(seen),
        account=account.precision if account else None,
        events=frozenset(told.events or EVENT_KINDS) if told else None,
        detail=told.detail if told else "none",
        memory_mb=limits.memory_mb,
        tmp_mb=limits.tmp_mb,
        cpu_seconds=limits.cpu_seconds_per_call + before,
        wall_seconds=limits.wall_seconds_per_call + before,
        outer_seconds=outer,
        brief=brief,
    )


def _budget(grant: Grant, config: Config) -> Budget | None:
    """The smaller of what the grant and pp.toml allow."""
    asked = grant.held(DecisionPropose)
    plugin = config.plugins.get(grant.id)
    if asked is None or plugin is None:
        return None
    own = plugin.budget
    return Budget(
        order=min(asked.max_order_micros, own.order_micros),
        day=min(asked.max_day_micros, own.day_micros),
        exposure=least(asked.max_exposure_micros, own.exposure_micros),
        orders_per_minute=least(asked.orders_per_minute, own.orders_per_minute),
        markets=None if asked.markets == "any" else frozenset(asked.markets),
        venues=_venues(grant.held(MarketRead)),
    )


def _venues(seen: MarketRead | None) -> frozenset[str] | None:
    """The venues that are seen: None is every one, and no market.read is none."""
    if seen is None:
        return frozenset()
    return None if seen.venues is None else frozenset(seen.venues)


def least(granted: int | None, own: int) -> int:
    """The bound that holds, of a grant's (None: it sets none) and pp.toml's own."""
    return own if granted is None else min(granted, own)
