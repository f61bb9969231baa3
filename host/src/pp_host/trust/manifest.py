"""plugin.yaml: what a plugin says it is and asks for, as frozen data.

Laws: one spelling per fact, every key known, every error one line with file, line, key and remedy. What
this host version does not offer is refused by name, never ignored. Reading a manifest runs nothing and
grants nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal, NamedTuple, NoReturn, get_args

import msgspec
from msgspec import Meta, Struct

from pp_host.errors import OperatorError
from pp_host.limits import LIMITS
from pp_host.model import PLUGIN_ID
from pp_host.trust import yamltext
from pp_host.trust.briefs import read_briefs
from pp_host.trust.capability import EVENT_KINDS, LATER, OFFERED, Capability, in_micros, use
from pp_host.trust.schema import Schema, read_schema
from pp_host.trust.version import RANGE, SEMVER, admits

FILE = "plugin.yaml"
SDK_API = (1, 0, 0)

_WORD = r"\A[A-Za-z_][A-Za-z0-9_]{0,63}\Z"
_MODULE = r"\A[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*){0,7}\Z"
_WEB = r"\Ahttps://[\x21-\x7e]{1,200}\Z"
_EMAIL = r"\A[\x21-\x3f\x41-\x7e]{1,64}@[a-z0-9.-]{1,190}\Z"
_BRIEF = r"\A[a-z][a-z0-9-]{0,31}\Z"
_PATTERNS = {
    PLUGIN_ID: "reverse DNS in lower case, such as org.example.momentum",
    SEMVER: "a semantic version without build part, such as 1.4.0",
    RANGE: "a range of >=, <, == joined by commas, such as '>=1,<2'",
    _WORD: "a Python name",
    _MODULE: "a dotted Python module name",
    _BRIEF: "a word of at most 32 of a-z 0-9 -, such as value",
    _WEB: "an https:// address",
    _EMAIL: "a mail address",
}

_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "a truth value",
}

PluginId = Annotated[str, Meta(pattern=PLUGIN_ID)]
Semver = Annotated[str, Meta(pattern=SEMVER)]
Range = Annotated[str, Meta(pattern=RANGE)]
Title = Annotated[str, Meta(min_length=1, max_length=80)]
Line = Annotated[str, Meta(min_length=1, max_length=200)]
PackagePath = Annotated[str, Meta(min_length=1, max_length=LIMITS.package.name_bytes)]
BriefName = Annotated[str, Meta(pattern=_BRIEF)]
Seconds = Annotated[float, Meta(ge=0.01, le=LIMITS.process.wall_seconds_max)]
Kind = Literal["source", "strategy", "agent", "risk", "output"]


class Rule(NamedTuple):
    """What a kind of plugin may answer and ask for."""

    hooks: frozenset[str]
    capabilities: frozenset[str]


RULES: dict[str, Rule] = {
    "source": Rule(frozenset({"snapshot"}), frozenset()),
    "strategy": Rule(frozenset({"select", "score"}), frozenset({"market.read"})),
    "agent": Rule(frozenset({"decide"}), frozenset({"market.read", "account.read", "decision.propose"})),
    "risk": Rule(frozenset({"advise"}), frozenset({"market.read", "account.read", "risk.advise"})),
    "output": Rule(frozenset({"notify", "flush"}), frozenset({"notify"})),
}


OF_EVERY_KIND = frozenset({"storage.kv", "storage.append"})  # what it keeps shows it nothing new
AFTER = {
    "score": ("select", "score is asked of what select named"),
    "flush": ("notify", "flush follows what notify was told"),
}
EARLIER = {"cycle": "observe.end", "verdict": "risk.check"}  # what events were called before they had types


class _Exact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping with these keys and no others."""


class Author(_Exact, frozen=True, kw_only=True):
    name: Line
    email: Annotated[str, Meta(pattern=_EMAIL)] | None = None


class Api(_Exact, frozen=True, kw_only=True):
    sdk: Range
    python: Range


class Entry(_Exact, frozen=True, kw_only=True):
    module: Annotated[str, Meta(pattern=_MODULE, max_length=200)]
    object: Annotated[str, Meta(pattern=_WORD)]
    runtime: Literal["python", "restricted"] = "python"


class PluginLimits(_Exact, frozen=True, kw_only=True):
    """What one process of the plugin may use; the defaults are the host's own."""

    memory_mb: Annotated[int, Meta(ge=32, le=LIMITS.process.memory_mb_max)] = LIMITS.process.memory_mb
    cpu_seconds_per_call: Seconds = LIMITS.process.cpu_seconds_per_call
    wall_seconds_per_call: Seconds = LIMITS.process.wall_seconds_per_call
    tmp_mb: Annotated[int, Meta(ge=0, le=LIMITS.package.tmp_mb_max)] = 0


class ConfigFile(_Exact, frozen=True, kw_only=True):
    schema: PackagePath


class Manifest(_Exact, frozen=True, kw_only=True):
    """A valid plugin.yaml. Money is in integer micro-units, times are in seconds."""

    schema: Literal["probablyprofit/plugin/v1"]
    id: PluginId
    version: Semver
    kind: Kind
    title: Title
    summary: Line
    license: Title
    authors: Annotated[tuple[Author, ...], Meta(min_length=1, max_length=32)]
    homepage: Annotated[str, Meta(pattern=_WEB)] | None = None
    api: Api
    entry: Entry
    hooks: Annotated[tuple[str, ...], Meta(min_length=1, max_length=16)]
    capabilities: Annotated[tuple[Capability, ...], Meta(max_length=32)] = ()
    limits: PluginLimits = PluginLimits()
    config: ConfigFile | None = None
    briefs: Annotated[dict[BriefName, PackagePath], Meta(max_length=LIMITS.package.briefs)] = {}
    requirements: str | None = None

    def check_host(self, python: tuple[int, int, int]) -> None:
        """Whether this host can run it. Errors: OperatorError names the range that does not hold."""
        for key, wanted, ours in (("sdk", self.api.sdk, SDK_API), ("python", self.api.python, python)):
            if not admits(wanted, ours):
                raise OperatorError(
                    f"{FILE}: api.{key}: wants {wanted}, this host has {'.'.join(map(str, ours))}"
                )


def parse(data: bytes, name: str = FILE) -> Manifest:
    """Read plugin.yaml. Errors: OperatorError `NAME:LINE: key.path: what`, with a hint."""
    document = yamltext.load(data, name)
    try:
        manifest = msgspec.convert(_prepared(document), Manifest)
    except msgspec.ValidationError as error:
        _explain(document, str(error))
    _check_offered(document, manifest)
    _check_kind(document, manifest)
    return manifest


def of_package(files: Mapping[str, bytes]) -> tuple[Manifest, Schema | None]:
    """The manifest of a package and its config schema, both checked against the files beside them."""
    if FILE not in files:
        raise OperatorError(f"{FILE}: missing from the package", hint="it stands at the top of the folder")
    manifest = parse(files[FILE])
    module = manifest.entry.module.replace(".", "/")
    if files.keys().isdisjoint({f"{module}.py", f"{module}/__init__.py"}):
        raise OperatorError(f"{FILE}: entry.module: no {module}.py in the package")
    read_briefs(manifest.briefs, files, FILE)
    if manifest.config is None:
        return manifest, None
    if manifest.config.schema not in files:
        raise OperatorError(f"{FILE}: config.schema: no {manifest.config.schema} in the package")
    return manifest, read_schema(files[manifest.config.schema], manifest.config.schema)


def _prepared(document: yamltext.Document) -> object:
    """The document with unknown capabilities refused by name and dollars turned into micro-units."""
    value = document.value
    if not isinstance(value, dict) or not isinstance(value.get("capabilities"), list):
        return value
    return {
        **value,
        "capabilities": [_asked(document, at, asked) for at, asked in enumerate(value["capabilities"])],
    }


def _asked(document: yamltext.Document, at: int, asked: Any) -> Any:
    place = f"capabilities[{at}]"
    if not isinstance(asked, dict):
        return asked
    name = asked.get("use")
    if isinstance(name, str) and name not in OFFERED:
        what = (
            f"{name} is not offered by this host version"
            if name in LATER
            else f"no such capability: {name[:40]}"
        )
        document.fail(f"{place}.use", what, _offers(OFFERED))
    if name == "notify" and isinstance(asked.get("events"), list):
        _check_events(document, f"{place}.events", asked["events"])
    try:
        return in_micros(asked)
    except ValueError as error:
        key, _, what = str(error).partition(": ")
        document.fail(f"{place}.{key}", what)


def _check_events(document: yamltext.Document, place: str, events: list[Any]) -> None:
    for at, kind in enumerate(events):
        if not isinstance(kind, str) or kind in EVENT_KINDS:
            continue
        if kind == "missed":
            document.fail(
                f"{place}[{at}]", "missed is told to every output that missed something", "remove it"
            )
        near = [EARLIER[kind]] if kind in EARLIER else get_close_matches(kind, EVENT_KINDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the kinds are: {', '.join(EVENT_KINDS)}"
        document.fail(f"{place}[{at}]", f"no such event: {kind[:40]}", hint)


def _check_offered(document: yamltext.Document, manifest: Manifest) -> None:
    if manifest.entry.runtime == "restricted":
        document.fail(
            "entry.runtime", "restricted is not offered by this host version", "write: runtime: python"
        )
    if manifest.requirements is not None:
        document.fail(
            "requirements",
            "not offered by this host version",
            "use the standard library and the SDK, and remove this line",
        )


def _check_kind(document: yamltext.Document, manifest: Manifest) -> None:
    rule = RULES[manifest.kind]
    for at, hook in enumerate(manifest.hooks):
        if hook not in rule.hooks:
            document.fail(
                f"hooks[{at}]", f"{hook[:40]} is no hook of kind {manifest.kind}", _offers(rule.hooks)
            )
        if hook in manifest.hooks[:at]:
            document.fail(f"hooks[{at}]", f"{hook} stands twice")
    for after, (first, why) in AFTER.items():
        if after in manifest.hooks and first not in manifest.hooks:
            document.fail("hooks", why, f"add {first}")
    if manifest.kind == "strategy" and not manifest.briefs:
        document.fail("", "a strategy has briefs", "add: briefs: {NAME: path/in/package.txt}")
    if manifest.kind != "strategy" and manifest.briefs:
        document.fail("briefs", f"kind {manifest.kind} has none", "remove this line")
    asked = [use(capability) for capability in manifest.capabilities]
    for at, name in enumerate(asked):
        if name not in rule.capabilities | OF_EVERY_KIND:
            document.fail(
                f"capabilities[{at}].use",
                f"kind {manifest.kind} may not ask for {name}",
                _offers(rule.capabilities | OF_EVERY_KIND),
            )
        if name in asked[:at]:
            document.fail(
                f"capabilities[{at}].use", f"{name} stands twice", "ask once, with the widest numbers needed"
            )


def _offers(names: Any) -> str:
    return f"offered here: {', '.join(sorted(names))}"


def _explain(document: yamltext.Document, error: str) -> NoReturn:
    """Turn msgspec's `what - at `$.place`` into our one line."""
    what, _, place = error.replace(" - at `key` in `$", " - at `$").partition(" - at `$")
    what, place = what.replace("_micros", "_usd"), place.removeprefix(".").removesuffix("`")
    if missing := re.fullmatch(r"Object missing required field `(.*)`", what):
        document.fail(place, f"the key {missing[1]!r} is missing", "add it")
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", what):
        document.fail(
            f"{place}.{unknown[1]}".removeprefix("."), "unknown key", "correct its spelling or remove it"
        )
    if place == "kind" and what.startswith("Invalid enum value"):
        document.fail(place, _shortened(what), f"the kinds are: {', '.join(get_args(Kind))}")
    for pattern, words in _PATTERNS.items():
        if repr(pattern) in what:
            document.fail(place, f"expected {words}")
    what = _shortened(what)
    what = re.sub(r"`(\w+)(?: \| null)?`", lambda kind: _WORDS.get(kind[1], kind[1]), what)
    quotes = re.fullmatch("expected text, got (a number|a whole number|a truth value)", what)
    document.fail(place, what, "put text in quotes" if quotes else "")


def _shortened(what: str) -> str:
    """As a line goes on with it, and no longer than a line."""
    return what[0].lower() + (what[1:] if len(what) <= 200 else f"{what[1:200]}...")
