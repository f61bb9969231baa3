from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_host.errors import OperatorError
from pp_host.trust import manifest
from pp_host.trust.capability import EVENT_KINDS, AccountRead, DecisionPropose, MarketRead, Notify, RiskAdvise


def refusal(files: dict[str, bytes]) -> tuple[str, str]:
    with pytest.raises(OperatorError) as caught:
        manifest.parse(files["plugin.yaml"])
    return str(caught.value), caught.value.hint


def test_the_example_is_read_in_full(source):
    read = manifest.parse(source["plugin.yaml"])
    assert (read.id, read.version, read.kind, read.license) == (
        "org.example.momentum",
        "1.4.0",
        "agent",
        "MIT",
    )
    assert read.authors == (manifest.Author(name="Example Ltd", email="x@example.org"),)
    assert read.entry == manifest.Entry(module="momentum", object="plugin")
    assert read.hooks == ("decide",)
    assert read.capabilities == (
        MarketRead(reason="reads quotes to rank markets", venues=("polymarket",)),
        DecisionPropose(reason="proposes trades", max_order_micros=50_000_000, max_day_micros=500_000_000),
    )
    assert read.limits == manifest.PluginLimits(
        memory_mb=256, cpu_seconds_per_call=1.0, wall_seconds_per_call=5.0
    )
    assert read.config == manifest.ConfigFile(schema="config.schema.json")


def test_what_may_be_left_out(edited):
    files = edited("homepage: https://example.org\n", "")
    text = files["plugin.yaml"].decode()
    least = text[: text.index("capabilities:")]
    read = manifest.parse(least.encode())
    assert read.capabilities == ()
    assert read.limits == manifest.PluginLimits()
    assert (read.homepage, read.config) == (None, None)


@pytest.mark.parametrize(
    ("dollars", "micros"),
    [
        ("50.25", 50_250_000),
        ("50", 50_000_000),
        ("0.000001", 1),
        ("0.1", 100_000),
        ("1000000000", 10**15),
        ("50.250000", 50_250_000),
    ],
)
def test_dollars_are_exact(edited, dollars, micros):
    read = manifest.parse(edited("max_order_usd: 50", f"max_order_usd: {dollars}")["plugin.yaml"])
    assert read.capabilities[1].max_order_micros == micros


@pytest.mark.parametrize(
    ("dollars", "what"),
    [
        ("0", "expected more than 0 and at most $1,000,000,000.00"),
        ("-1", "expected more than 0 and at most $1,000,000,000.00"),
        ("1000000000.000001", "expected more than 0 and at most $1,000,000,000.00"),
        ("0.0000001", "expected at most six decimals"),
        ("'50'", "expected dollars, such as 50 or 50.25"),
        ("true", "expected dollars, such as 50 or 50.25"),
        ("[50]", "expected dollars, such as 50 or 50.25"),
        (".nan", "'.nan' reads differently in different YAML readers"),
        (".inf", "'.inf' reads differently in different YAML readers"),
        ("1e3", "expected dollars, such as 50 or 50.25"),
    ],
)
def test_other_dollars_are_refused(edited, dollars, what):
    message, _ = refusal(edited("max_order_usd: 50", f"max_order_usd: {dollars}"))
    assert message == f"plugin.yaml:15: capabilities[1].max_order_usd: {what}"


# old text, new text, the whole message, the hint
MALFORMED = [
    ("license: MIT", "licence: MIT", "plugin.yaml:7: licence: unknown key", "correct its spelling or remove it"),
    ("license: MIT\n", "", "plugin.yaml:1: the key 'license' is missing", "add it"),
    ("license: MIT", "license: MIT\nlicense: MIT", "plugin.yaml:8: license: this key stands twice", "the first is on line 7"),
    ("license: MIT", "license: 5", "plugin.yaml:7: license: expected text, got a whole number", "put text in quotes"),
    ("license: MIT", "license: [MIT]", "plugin.yaml:7: license: expected text, got a list", ""),
    ("license: MIT", "license: ''", "plugin.yaml:7: license: expected text of length >= 1", ""),
    ("license: MIT", "license: &l MIT", "plugin.yaml:7: license: anchors and aliases are not allowed",
     "write the value out where it is used"),
    ("version: 1.4.0", "version: 1.4", "plugin.yaml:3: version: expected text, got a number", "put text in quotes"),
    ("version: 1.4.0", "version: v1.4.0",
     "plugin.yaml:3: version: expected a semantic version without build part, such as 1.4.0", ""),
    ("version: 1.4.0", "version: 1.4.0+5",
     "plugin.yaml:3: version: expected a semantic version without build part, such as 1.4.0", ""),
    ("id: org.example.momentum", "id: Momentum",
     "plugin.yaml:2: id: expected reverse DNS in lower case, such as org.example.momentum", ""),
    ("id: org.example.momentum", "id: ../../etc",
     "plugin.yaml:2: id: expected reverse DNS in lower case, such as org.example.momentum", ""),
    ("plugin/v1", "plugin/v2", "plugin.yaml:1: schema: invalid enum value 'probablyprofit/plugin/v2'", ""),
    ("kind: agent", "kind: robot", "plugin.yaml:4: kind: invalid enum value 'robot'",
     "the kinds are: source, strategy, agent, risk, output"),
    ("{sdk: \">=1,<2\", ", "{", "plugin.yaml:10: api: the key 'sdk' is missing", "add it"),
    ('python: ">=3.11"', "python: 3.11", "plugin.yaml:10: api.python: expected text, got a number", "put text in quotes"),
    ('python: ">=3.11"', 'python: "~=3.11"',
     "plugin.yaml:10: api.python: expected a range of >=, <, == joined by commas, such as '>=1,<2'", ""),
    ("module: momentum", "module: os.path; x", "plugin.yaml:11: entry.module: expected a dotted Python module name", ""),
    ("object: plugin", "object: a.b", "plugin.yaml:11: entry.object: expected a Python name", ""),
    ("https://example.org", "http://example.org", "plugin.yaml:9: homepage: expected an https:// address", ""),
    ("x@example.org", "example", "plugin.yaml:8: authors[0].email: expected a mail address", ""),
    ("authors: [{name: Example Ltd, email: x@example.org}]", "authors: []",
     "plugin.yaml:8: authors: expected a list of length >= 1", ""),
    ("hooks: [decide]", "hooks: []", "plugin.yaml:12: hooks: expected a list of length >= 1", ""),
    ("hooks: [decide]", "hooks: [decide, snapshot]", "plugin.yaml:12: hooks[1]: snapshot is no hook of kind agent",
     "offered here: decide"),
    ("hooks: [decide]", "hooks: [decide, decide]", "plugin.yaml:12: hooks[1]: decide stands twice", ""),
    ("use: market.read", "use: net.http", "plugin.yaml:14: capabilities[0].use: net.http is not offered by this host version",
     "offered here: account.read, decision.propose, market.read, notify, risk.advise, storage.append, storage.kv"),
    ("use: market.read", "use: market.reed", "plugin.yaml:14: capabilities[0].use: no such capability: market.reed",
     "offered here: account.read, decision.propose, market.read, notify, risk.advise, storage.append, storage.kv"),
    ("use: market.read", "use: 5", "plugin.yaml:14: capabilities[0].use: expected text, got a whole number", "put text in quotes"),
    ("use: market.read, ", "", "plugin.yaml:14: capabilities[0]: the key 'use' is missing", "add it"),
    (', reason: "proposes trades"', "", "plugin.yaml:15: capabilities[1]: the key 'reason' is missing", "add it"),
    ("max_day_usd: 500, ", "", "plugin.yaml:15: capabilities[1]: the key 'max_day_usd' is missing", "add it"),
    ("max_day_usd: 500", "max_day_micros: 500",
     "plugin.yaml:15: capabilities[1].max_day_micros: unknown key; amounts are written in dollars, as *_usd", ""),
    ("max_day_usd: 500", "max_week_usd: 500", "plugin.yaml:15: capabilities[1].max_week_usd: unknown key",
     "correct its spelling or remove it"),
    ("markets: any", "markets: all", "plugin.yaml:15: capabilities[1].markets: invalid enum value 'all'", ""),
    ("markets: any", "markets: []", "plugin.yaml:15: capabilities[1].markets: expected a list of length >= 1", ""),
    ("[polymarket]", "polymarket", "plugin.yaml:14: capabilities[0].venues: expected a list, got text", ""),
    ("{use: market.read", "{use: decision.propose, max_order_usd: 1, max_day_usd: 1, reason: x}\n  - {use: decision.propose",
     "plugin.yaml:15: capabilities[1].venues: unknown key", "correct its spelling or remove it"),
    ("  - {use: market.read", "  - {use: market.read, reason: x}\n  - {use: market.read",
     "plugin.yaml:15: capabilities[1].use: market.read stands twice", "ask once, with the widest numbers needed"),
    ("memory_mb: 256", "memory_mb: 1", "plugin.yaml:16: limits.memory_mb: expected a whole number >= 32", ""),
    ("memory_mb: 256", "memory_mb: 1000000", "plugin.yaml:16: limits.memory_mb: expected a whole number <= 2048", ""),
    ("memory_mb: 256", "memory_mb: 0400", "plugin.yaml:16: limits.memory_mb: '0400' reads differently in different YAML readers",
     "put text in quotes; write numbers plainly"),
    ("wall_seconds_per_call: 5", "wall_seconds_per_call: 3600",
     "plugin.yaml:16: limits.wall_seconds_per_call: expected a number <= 60.0", ""),
    ("tmp_mb: 0", "tmp_mb: 65", "plugin.yaml:16: limits.tmp_mb: expected a whole number <= 64", ""),
    ("runtime: python", "runtime: restricted",
     "plugin.yaml:11: entry.runtime: restricted is not offered by this host version", "write: runtime: python"),
    ("config: {", "requirements: requirements.lock\nconfig: {", "plugin.yaml:17: requirements: not offered by this host version",
     "use the standard library and the SDK, and remove this line"),
    ("kind: agent", "kind: strategy", "plugin.yaml:12: hooks[0]: decide is no hook of kind strategy",
     "offered here: score, select"),
    ("config: {", "briefs: {value: value.txt}\nconfig: {", "plugin.yaml:17: briefs: kind agent has none", "remove this line"),
    ("config: {", "briefs: {Value: value.txt}\nconfig: {",
     "plugin.yaml:17: briefs: expected a word of at most 32 of a-z 0-9 -, such as value", ""),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message", "hint"), MALFORMED)
def test_one_clear_line(edited, old, new, message, hint):
    assert refusal(edited(old, new)) == (message, hint)


ASKS = {"source": "snapshot", "agent": "decide", "risk": "advise", "output": "notify"}


@pytest.mark.parametrize(("kind", "hook"), ASKS.items())
def test_every_kind_may_ask_to_keep_things(edited, kind, hook):
    text = (
        edited("kind: agent", f"kind: {kind}")["plugin.yaml"]
        .decode()
        .replace("hooks: [decide]", f"hooks: [{hook}]")
    )
    asked = '  - {use: storage.kv, mb: 4, reason: "x"}\n  - {use: storage.append, mb: 1, reason: "x"}\n'
    start, end = text.index("  - {use: market.read"), text.index("limits:")
    read = manifest.parse((text[:start] + asked + text[end:]).encode())
    assert [one.mb for one in read.capabilities] == [4, 1]
    with pytest.raises(OperatorError, match=r"capabilities\[0\]\.mb: expected a whole number <= 64"):
        manifest.parse((text[:start] + asked.replace("mb: 4", "mb: 65") + text[end:]).encode())


def test_a_long_word_is_not_repeated_in_full(edited):
    message, _ = refusal(edited("kind: agent", f"kind: {'x' * 50_000}"))
    assert message.startswith("plugin.yaml:4: kind: invalid enum value 'xxx")
    assert len(message) < 300


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "plugin.yaml:1: the file is empty"),
        (b"- a", "plugin.yaml:1: expected a mapping, got a list"),
        (b"text", "plugin.yaml:1: expected a mapping, got text"),
        (b"\xff", "plugin.yaml:1: not UTF-8"),
        (b"#" * 10_000_000, "plugin.yaml: larger than 65536 bytes"),
        (b"capabilities: 5", "plugin.yaml:1: capabilities: expected a list, got a whole number"),
        (b"capabilities: [5]", "plugin.yaml:1: capabilities[0]: expected a mapping, got a whole number"),
    ],
)
def test_what_is_no_manifest_at_all(text, message):
    assert refusal({"plugin.yaml": text})[0] == message


KINDS = {
    "source": ("snapshot", "", None),
    "agent": ("decide", "{use: account.read, precision: exact, reason: x}", AccountRead(reason="x", precision="exact")),
    "risk": ("advise", "{use: risk.advise, reason: x}", RiskAdvise(reason="x")),
    "output": ("notify", "{use: notify, events: [fill], detail: ratio, reason: x}",
               Notify(reason="x", events=("fill",), detail="ratio")),
}  # fmt: skip


def of_kind(source: dict[str, bytes], kind: str, hook: str, asked: str) -> dict[str, bytes]:
    text = source["plugin.yaml"].decode()
    head = text[: text.index("capabilities:")].replace("kind: agent", f"kind: {kind}").replace("decide", hook)
    return {"plugin.yaml": f"{head}capabilities: [{asked}]\n".encode()}


@pytest.mark.parametrize(
    ("events", "message", "hint"),
    [
        ("[fill, cycle]", "capabilities[0].events[1]: no such event: cycle", "did you mean observe.end?"),
        ("[verdict]", "capabilities[0].events[0]: no such event: verdict", "did you mean risk.check?"),
        ("[filll]", "capabilities[0].events[0]: no such event: filll", "did you mean fill?"),
        ("[trade_start]", "capabilities[0].events[0]: no such event: trade_start", "did you mean trade.start?"),
        ("[missed]", "capabilities[0].events[0]: missed is told to every output that missed something", "remove it"),
        ("[xyz]", "capabilities[0].events[0]: no such event: xyz", f"the kinds are: {', '.join(EVENT_KINDS)}"),
        ("[]", "capabilities[0].events: expected a list of length >= 1", ""),
        ("[1]", "capabilities[0].events[0]: expected text, got a whole number", "put text in quotes"),
    ],
)  # fmt: skip
def test_an_event_that_does_not_exist_is_named_with_what_was_meant(source, events, message, hint):
    files = of_kind(source, "output", "notify", f"{{use: notify, events: {events}, reason: x}}")
    with pytest.raises(OperatorError) as caught:
        manifest.parse(files["plugin.yaml"])
    assert str(caught.value).endswith(message)
    assert caught.value.hint == hint


def test_every_event_can_be_asked_for(source):
    files = of_kind(
        source, "output", "notify", f"{{use: notify, events: [{', '.join(EVENT_KINDS)}], reason: x}}"
    )
    assert manifest.parse(files["plugin.yaml"]).capabilities == (Notify(reason="x", events=EVENT_KINDS),)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_may_answer_and_ask_its_own(source, kind):
    hook, asked, capability = KINDS[kind]
    read = manifest.parse(of_kind(source, kind, hook, asked)["plugin.yaml"])
    assert (read.kind, read.hooks, read.capabilities) == (kind, (hook,), (capability,) if capability else ())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_no_kind_answers_for_another(source, kind, other):
    if kind != other:
        message, _ = refusal(of_kind(source, kind, KINDS[other][0], KINDS[kind][1]))
        assert message == f"plugin.yaml:12: hooks[0]: {KINDS[other][0]} is no hook of kind {kind}"


PROPOSE = "{use: decision.propose, max_order_usd: 1, max_day_usd: 1, reason: x}"


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("source", PROPOSE),
        ("source", KINDS["agent"][1]),
        ("source", KINDS["output"][1]),
        ("risk", PROPOSE),
        ("output", PROPOSE),
        ("output", "{use: market.read, reason: x}"),
        ("source", "{use: market.read, reason: x}"),
        ("output", KINDS["agent"][1]),
        ("agent", KINDS["risk"][1]),
        ("agent", KINDS["output"][1]),
    ],
)
def test_no_kind_asks_for_what_is_not_its_own(source, kind, asked):
    message, _ = refusal(of_kind(source, kind, KINDS[kind][0], asked))
    name = asked.removeprefix("{use: ").partition(",")[0]
    assert message == f"plugin.yaml:13: capabilities[0].use: kind {kind} may not ask for {name}"


def test_a_package_holds_what_its_manifest_names(source, edited):
    read, schema = manifest.of_package(source)
    assert read.id == "org.example.momentum"
    assert list(schema.properties) == ["edge"]
    nested = {**edited("module: momentum", "module: pkg.momentum"), "pkg/momentum/__init__.py": b""}
    assert manifest.of_package(nested)[0].entry.module == "pkg.momentum"


@pytest.mark.parametrize(
    ("absent", "message"),
    [
        ("plugin.yaml", "plugin.yaml: missing from the package"),
        ("momentum.py", "plugin.yaml: entry.module: no momentum.py in the package"),
        ("config.schema.json", "plugin.yaml: config.schema: no config.schema.json in the package"),
    ],
)
def test_a_package_without_it_is_refused(source, absent, message):
    del source[absent]
    with pytest.raises(OperatorError, match=f"^{message}$"):
        manifest.of_package(source)


def test_the_host_it_wants(edited):
    read = manifest.parse(edited('python: ">=3.11"', 'python: ">=3.12,<4"')["plugin.yaml"])
    read.check_host((3, 12, 0))
    with pytest.raises(
        OperatorError, match=r"^plugin\.yaml: api\.python: wants >=3\.12,<4, this host has 3\.11\.9$"
    ):
        read.check_host((3, 11, 9))
    read = manifest.parse(edited('sdk: ">=1,<2"', 'sdk: ">=2"')["plugin.yaml"])
    with pytest.raises(OperatorError, match=r"^plugin\.yaml: api\.sdk: wants >=2, this host has 1\.0\.0$"):
        read.check_host((3, 12, 0))


SCRAPS = [
    "capabilities",
    "use",
    "market.read",
    "x",
    ": ",
    "- ",
    "\n",
    "  ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "5",
    "0.5",
    "true",
    "max_order_usd",
]


@given(st.lists(st.sampled_from(SCRAPS), max_size=30).map("".join))
def test_only_operator_errors_come_out(text):
    with pytest.raises(OperatorError, match=r"^plugin\.yaml:"):
        manifest.parse(text.encode())


def test_hooks_are_those_of_the_sdk():
    from pp_sdk import hooks

    known = {name for thing in vars(hooks).values() if isinstance(thing, type) for name in vars(thing)}
    for rule in manifest.RULES.values():
        assert rule.hooks <= known


STRATEGY = "kind: strategy\nbriefs: {value: value.txt}"


def test_a_strategy_has_briefs_and_select(source):
    ask = "{use: market.read, reason: x}"
    read = manifest.parse(
        of_kind(source, STRATEGY.removeprefix("kind: "), "select, score", ask)["plugin.yaml"]
    )
    assert (read.kind, read.hooks, dict(read.briefs)) == (
        "strategy",
        ("select", "score"),
        {"value": "value.txt"},
    )
    assert refusal(of_kind(source, "strategy", "select", ask)) == (
        "plugin.yaml:1: a strategy has briefs",
        "add: briefs: {NAME: path/in/package.txt}",
    )
    message, _ = refusal(of_kind(source, STRATEGY.removeprefix("kind: "), "score", ask))
    assert message == "plugin.yaml:13: hooks: score is asked of what select named"


def test_flush_follows_notify(source):
    ask = "{use: notify, reason: x}"
    assert manifest.parse(of_kind(source, "output", "notify, flush", ask)["plugin.yaml"]).hooks == (
        "notify",
        "flush",
    )
    message, hint = refusal(of_kind(source, "output", "flush", ask))
    assert (message, hint) == ("plugin.yaml:12: hooks: flush follows what notify was told", "add notify")


def test_a_strategy_may_not_see_the_account(source):
    message, _ = refusal(of_kind(source, STRATEGY.removeprefix("kind: "), "select", KINDS["agent"][1]))
    assert "kind strategy may not ask for" in message


def test_a_manifest_has_so_many_briefs_and_no_more(source):
    for count in (16, 17):
        briefs = ", ".join(f"b{n}: b{n}.txt" for n in range(count))
        text = of_kind(source, f"strategy\nbriefs: {{{briefs}}}", "select", "{use: market.read, reason: x}")
        if count == 16:
            assert len(manifest.parse(text["plugin.yaml"]).briefs) == 16
        else:
            assert refusal(text)[0] == "plugin.yaml:5: briefs: expected a mapping of length <= 16"
