"""docs/MANIFEST.md names every key of plugin.yaml with its bounds, so that a plugin can be written from it alone."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from msgspec.inspect import StructType, UnionType, VarTupleType, type_info
from msgspec.structs import fields
from pp_host.limits import LIMITS
from pp_host.trust.capability import EVENT_KINDS, LATER, OFFERED, Capability
from pp_host.trust.manifest import RULES, SDK_API, Manifest, PluginLimits, parse
from pp_host.trust.schema import Setting, read_schema
from pp_sdk.types import BRIEF_MOST
from pp_sdk.wire.messages import SELECTED_MOST

CAPABILITIES = {str(kind.__struct_config__.tag): kind for kind in get_args(Capability)}


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs" / "MANIFEST.md").read_text(encoding="utf-8")


def section(page, title):
    """The text below a heading, up to the next heading of any rank."""
    return re.split(r"^#", page.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text):
    """A section's tables: first cell without its quotes -> the other cells."""
    found = re.findall(r"^\| `([^`]+)` \|(.*)\|$", text, re.MULTILINE)
    return {key: [cell.strip() for cell in cells.split("|")] for key, cells in found}


def structs(info):
    """(what follows the key, struct) of each mapping that a value may be."""
    match info:
        case StructType(cls=cls):
            yield "", cls
        case VarTupleType(item_type=item):
            yield from ((f"[]{after}", cls) for after, cls in structs(getattr(item, "type", item)))
        case UnionType(types=types):
            for one in types:
                yield from structs(one)


def keys(struct, prefix=""):
    """Every key of a mapping and of the mappings in it; capabilities have tables of their own."""
    for field in fields(struct):
        name = f"{prefix}{field.encode_name}"
        yield name
        info = type_info(field.type)
        for after, below in structs(getattr(info, "type", info)):
            if below not in CAPABILITIES.values():
                yield from keys(below, f"{name}{after}.")


def spelled(kind):
    """A capability's keys as people write them."""
    return ["use", *(field.name.replace("_micros", "_usd") for field in fields(kind))]


def test_every_key_is_listed_in_order_and_no_other(page):
    listed = list(rows(section(page, "Keys")))
    assert listed == list(keys(Manifest))
    assert {"authors[].email", "entry.runtime", "limits.tmp_mb", "config.schema"} <= set(listed)


def test_what_is_required_and_what_has_a_default(page):
    told = rows(section(page, "Keys"))
    for field in fields(Manifest):
        assert (told[field.name][1] == "required") is field.required, field.name
    for field in fields(PluginLimits):
        assert told[f"limits.{field.name}"][1] == f"`{field.default:g}`", field.name


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [
        ("memory_mb", 32, LIMITS.process.memory_mb_max),
        ("cpu_seconds_per_call", 0.01, LIMITS.process.wall_seconds_max),
        ("wall_seconds_per_call", 0.01, LIMITS.process.wall_seconds_max),
        ("tmp_mb", 0, LIMITS.package.tmp_mb_max),
    ],
)
def test_limits_tell_their_bounds(page, key, low, high):
    assert f"{low:g} to {high:g}" in rows(section(page, "Keys"))[f"limits.{key}"][0]


@pytest.mark.parametrize("name", CAPABILITIES)
def test_every_field_of_a_capability_is_listed(page, name):
    told = rows(section(page, f"`{name}`"))
    assert sorted(told) == sorted(spelled(CAPABILITIES[name]))
    for field in fields(CAPABILITIES[name]):
        assert (told[field.name.replace("_micros", "_usd")][1] == "required") is field.required, field.name


def test_the_kinds_are_the_hosts(page):
    told = rows(section(page, "Kinds"))
    for kind, rule in RULES.items():
        hooks, asks = (set(re.findall(r"`([^`]+)`", cell)) for cell in told[kind])
        assert (hooks, asks) == (rule.hooks, rule.capabilities), kind
    assert set(told) == set(RULES)


def test_what_is_not_offered_is_named(page):
    assert set(re.findall(r"`([a-z]+\.[a-z]+)`", section(page, "Not offered by this version"))) == LATER
    assert not LATER & OFFERED


def test_events_settings_and_numbers_are_the_hosts(page):
    assert f"list of 1 to {len(EVENT_KINDS)} of {' '.join(f'`{kind}`' for kind in EVENT_KINDS)};" in section(
        page, "`notify`"
    )
    assert list(rows(section(page, "Settings"))) == list(Setting.__struct_fields__)
    package = LIMITS.package
    assert f"{package.manifest_bytes:,} bytes, {package.manifest_depth} levels" in page
    assert f"keys of at most {package.manifest_key_chars}\ncharacters" in page
    assert f"at most {package.money_micros_max // 10**6:,}" in page
    assert f"1 to {package.orders_per_minute_max} |" in section(page, "`decision.propose`")
    assert f"at most {package.settings} named" in page
    assert f"mapping of 1 to {package.briefs} names" in page
    assert f"A brief has {package.brief_chars_min} to {BRIEF_MOST:,} characters" in page
    assert f"best first, at most {SELECTED_MOST:,};" in page
    assert f"this host has {'.'.join(map(str, SDK_API))} " in page


def test_the_examples_are_valid(page):
    manifest = parse(re.search(r"```yaml\n(.*?)```", page, re.DOTALL)[1].encode())
    assert manifest.id == "org.example.momentum"
    schema = read_schema(re.search(r"```json\n(.*?)```", page, re.DOTALL)[1].encode(), "config.schema.json")
    assert list(schema.properties) == ["edge_cents"]
