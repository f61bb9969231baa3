"""pp.toml: every refusal with its line, key and hint; money without floats; what the environment may do."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pp_host.config import Budget, Config, Plugin, default_toml, load, manual, parse
from pp_host.config.environment import ORDINARY
from pp_host.config.lines import dotted, keys
from pp_host.config.schema import MICRO
from pp_host.config.values import settings
from pp_host.errors import OperatorError, Refused

CHECK = "correct it, then: pp config check"
AGENT = '[plugins."org.example.agent"]\n'


def refusal(text: str, environ: dict[str, str] | None = None) -> OperatorError:
    with pytest.raises(OperatorError) as caught:
        parse(text, environ or {})
    assert "\n" not in str(caught.value)
    return caught.value


def told(text: str) -> tuple[str, str]:
    error = refusal(text)
    assert error.exit_status == 1
    return str(error), error.hint


def test_an_empty_file_is_all_defaults():
    assert parse("", {}) == Config()


def test_every_section_reads_into_integers():
    config = parse(
        """
[host]
cycle_seconds = 2.5
mode = "dry-run"
min_level = "L3"
[account]
cash_usd = 250.5
[risk]
max_order_usd = 12.345678
max_drawdown = 0.1
max_positions = 7
[sizing]
method = "fixed"
fixed_usd = 3
[tape]
tick = 0.0025
[paper]
fee_rate = 0
"""
        + AGENT
        + """
enabled = false
config = {edge = 0.05, name = "x", on = true, deep = {list = [1, 2.5]}}
budget = {order_usd = 1, day_usd = 2.5, exposure_usd = 3, orders_per_minute = 4}
[sets.weekend]
plugins = ["org.example.agent"]
""",
        {},
    )
    assert (config.host.cycle_seconds, config.host.mode, config.host.min_level) == (2.5, "dry-run", "L3")
    assert config.account.cash_micros == 250_500_000
    assert (config.risk.max_order_micros, config.risk.max_drawdown_ppm) == (12_345_678, 100_000)
    assert config.risk.max_exposure_micros == 500 * MICRO
    assert (config.sizing.method, config.sizing.fixed_micros) == ("fixed", 3 * MICRO)
    assert (config.tape.tick_ppm, config.paper.fee_rate_ppm) == (2_500, 0)
    agent = config.plugins["org.example.agent"]
    assert not agent.enabled
    assert agent.config == {"edge": 0.05, "name": "x", "on": True, "deep": {"list": [1, 2.5]}}
    assert agent.budget == Budget(
        order_micros=MICRO, day_micros=2_500_000, exposure_micros=3 * MICRO, orders_per_minute=4
    )
    assert config.enabled() == ()
    assert config.set_named("weekend") == ("org.example.agent",)


def test_a_plugin_without_a_budget_may_place_nothing():
    config = parse(AGENT, {})
    assert config.plugins["org.example.agent"] == Plugin(
        enabled=True,
        config={},
        budget=Budget(order_micros=0, day_micros=0, exposure_micros=0, orders_per_minute=0),
    )
    assert config.enabled() == ("org.example.agent",)


def test_a_config_cannot_be_changed():
    with pytest.raises(AttributeError):
        Config().risk.max_order_micros = 1


def test_an_unknown_set_is_refused_with_the_nearest_name():
    config = parse(AGENT + '[sets.weekend]\nplugins = ["org.example.agent"]', {})
    with pytest.raises(OperatorError) as caught:
        config.set_named("weekends")
    assert str(caught.value) == "pp.toml: sets.weekends: there is no such set"
    assert caught.value.hint == "did you mean weekend?"


USD = "expected dollars with at most 6 decimals, 0 to 1000000000, got"


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        (
            "[risk]\nmax_ordr_usd = 3",
            "pp.toml:2: risk.max_ordr_usd: unknown key",
            "did you mean max_order_usd?",
        ),
        ("[rsk]\n", "pp.toml:1: rsk: unknown key", "did you mean risk?"),
        ("[egress]\n", "pp.toml:1: egress: unknown key", None),
        ("zzz = 1", "pp.toml:1: zzz: unknown key", None),
        (AGENT + "weight = 1.0", 'pp.toml:2: plugins."org.example.agent".weight: unknown key', None),
        ('"a\\nb" = 1', 'pp.toml:1: "a\\nb": unknown key', None),
        ("[risk]\nmax_order_usd = '5'", f'pp.toml:2: risk.max_order_usd: {USD} "5"', CHECK),
        ("[risk]\nmax_order_usd = true", f"pp.toml:2: risk.max_order_usd: {USD} true", CHECK),
        ("[risk]\nmax_order_usd = -1", f"pp.toml:2: risk.max_order_usd: {USD} -1", CHECK),
        ("[risk]\nmax_order_usd = nan", f"pp.toml:2: risk.max_order_usd: {USD} NaN", CHECK),
        ("[risk]\nmax_order_usd = inf", f"pp.toml:2: risk.max_order_usd: {USD} Infinity", CHECK),
        ("[risk]\nmax_order_usd = 0.0000001", f"pp.toml:2: risk.max_order_usd: {USD} 1E-7", CHECK),
        ("[risk]\nmax_order_usd = 1.0000001", f"pp.toml:2: risk.max_order_usd: {USD} 1.0000001", CHECK),
        ("[risk]\nmax_order_usd = 1e400", f"pp.toml:2: risk.max_order_usd: {USD} 1E+400", CHECK),
        (
            "[risk]\nmax_order_usd = 1000000000.000001",
            f"pp.toml:2: risk.max_order_usd: {USD} 1000000000.000001",
            CHECK,
        ),
        (
            "[risk]\nmax_order_usd = 0xffffffffffffffffffff",
            f"pp.toml:2: risk.max_order_usd: {USD} a far larger number",
            CHECK,
        ),
        ("[risk]\nmax_order_usd = [1]", f"pp.toml:2: risk.max_order_usd: {USD} a list", CHECK),
        ("[risk]\nmax_order_usd = {a = 1}", f"pp.toml:2: risk.max_order_usd: {USD} a table", CHECK),
        ("[risk]\nmax_order_usd = 2020-01-01", f"pp.toml:2: risk.max_order_usd: {USD} 2020-01-01", CHECK),
        (
            "[risk]\nmax_drawdown = 1.5",
            "pp.toml:2: risk.max_drawdown: expected a fraction with at most 6 decimals, 0 to 1, got 1.5",
            CHECK,
        ),
        (
            "[risk]\nmax_positions = 1.5",
            "pp.toml:2: risk.max_positions: expected a whole number, 0 to 100000, got 1.5",
            CHECK,
        ),
        (
            "[host]\ncycle_seconds = 0",
            "pp.toml:2: host.cycle_seconds: expected seconds, above 0 to 86400, got 0",
            CHECK,
        ),
        (
            "[host]\ncycle_seconds = nan",
            "pp.toml:2: host.cycle_seconds: expected seconds, above 0 to 86400, got NaN",
            CHECK,
        ),
        ("[host]\nmode = 'fast'", 'pp.toml:2: host.mode: expected "dry-run" or "paper", got "fast"', CHECK),
        (
            AGENT + "enabled = 1",
            'pp.toml:2: plugins."org.example.agent".enabled: expected true or false, got 1',
            CHECK,
        ),
        ("host = 3", "pp.toml:1: host: expected a table", CHECK),
        ("plugins = 3", "pp.toml:1: plugins: expected a table", CHECK),
        (
            "[plugins.agent]\n",
            "pp.toml:1: plugins.agent: not a plugin id",
            'write ids in quotes: [plugins."org.example.name"]',
        ),
        (
            "[plugins.org.example.agent]\n",
            "pp.toml:1: plugins.org: not a plugin id",
            'write ids in quotes: [plugins."org.example.name"]',
        ),
        (
            AGENT + "budget = {order = 1}",
            'pp.toml:2: plugins."org.example.agent".budget.order: unknown key',
            None,
        ),
        ("[sets.a]\nplugins = 'x'", 'pp.toml:2: sets.a.plugins: expected a list of text, got "x"', CHECK),
        ("[sets.a]\nplugins = [1]", "pp.toml:2: sets.a.plugins: expected a list of text, got a list", CHECK),
    ],
)
def test_one_line_names_line_key_and_remedy(text, what, hint):
    message, remedy = told(text)
    assert message == what
    assert remedy == hint or (hint is None and remedy)


@pytest.mark.parametrize(
    "value",
    ["2020-01-01", "nan", "9223372036854775808", "[[[[[[[[[[[[[[1]]]]]]]]]]]]]]", "{deep = inf}", "1e999"],
)
def test_a_plugins_own_settings_hold_only_what_crosses_the_wire(value):
    message, _ = told(AGENT + f"config = {{x = {value}}}")
    assert message == (
        'pp.toml:2: plugins."org.example.agent".config: expected a table of text, finite 64-bit numbers, '
        "true, false, lists and tables, got a table"
    )
    assert parse(AGENT + "config = {x = 9223372036854775807, y = [[1.5]]}", {})


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("[a]\nb = 1\nc = 2\nb = 3", "pp.toml:4: a.b: defined twice, first on line 2", "keep one of them"),
        ("[a]\n[b]\n[a]", "pp.toml:3: a: defined twice, first on line 1", "keep one of them"),
        ("a = {b = 1, b = 2}", "pp.toml:1: a: not valid TOML: duplicate inline table key 'b'", CHECK),
        (
            "[risk]\n\nmax_order_usd 5",
            "pp.toml:3: not valid TOML: expected '=' after a key in a key/value pair",
            CHECK,
        ),
        ("[risk]\nmax_order_usd = ", "pp.toml:2: risk.max_order_usd: not valid TOML: invalid value", CHECK),
        ("\n[risk", "pp.toml:2: not valid TOML: expected ']' at the end of a table declaration", CHECK),
        ("a = 1\nb = [1,\n2\n", "pp.toml:4: b: not valid TOML: unclosed array", CHECK),
        ("a = 1e99999999999999999999", "pp.toml: not valid TOML: a number cannot be read", CHECK),
        ("a = 1" + "0" * 5000, "pp.toml: not valid TOML: a number cannot be read", CHECK),
        ("a = " + "[" * 100_000, "pp.toml: lists or tables are nested too deeply", CHECK),
        ("x.y = 1\n" + ".".join("a" * 17) + " = 1", "pp.toml:2: a key of more than 16 parts", CHECK),
        ("[" + ".".join(["a"] * 100_000) + "]", "pp.toml:1: a key of more than 16 parts", CHECK),
        ("\ufeffa = 1", "pp.toml:1: not valid TOML: invalid statement", CHECK),
        ("a = '\x00'", "pp.toml:1: a: not valid TOML: found invalid character '\\x00'", CHECK),
    ],
)
def test_text_that_is_not_toml(text, what, hint):
    message, remedy = told(text)
    assert (message, remedy) == (what, hint)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "[risk]\nmax_order_usd = 101",
            "pp.toml:2: risk.max_order_usd: 101 is more than risk.max_market_usd (100)",
        ),
        (
            "[risk]\nmax_exposure_usd = 99.5",
            "pp.toml:1: risk.max_market_usd: 100 is more than risk.max_exposure_usd (99.5)",
        ),
        (
            "[risk]\nmin_price = 0.5\nmax_price = 0.5",
            "pp.toml:2: risk.min_price: is not below risk.max_price: no price could be traded",
        ),
        (
            AGENT + "budget = {order_usd = 2, day_usd = 1}",
            'pp.toml:2: plugins."org.example.agent".budget.order_usd: 2 is more than day_usd (1)',
        ),
        (
            AGENT + "budget = {order_usd = 2, day_usd = 3, exposure_usd = 1}",
            'pp.toml:2: plugins."org.example.agent".budget.order_usd: 2 is more than exposure_usd (1)',
        ),
        (
            "[tape]\ndepth_usd = 0",
            "pp.toml:2: tape.depth_usd: expected dollars with at most 6 decimals, above 0 to 1000000000, got 0",
        ),
        ("[tape]\ntick = 0.003", "pp.toml:2: tape.tick: does not divide one dollar"),
        ("[sets.a]\n", "pp.toml:1: sets.a.plugins: names no plugin"),
        (
            '[sets.a]\nplugins = ["org.example.x"]',
            'pp.toml:2: sets.a.plugins: names org.example.x, but there is no [plugins."org.example.x"]',
        ),
        (
            AGENT + '[sets.a]\nplugins = ["org.example.agent", "org.example.agent"]',
            "pp.toml:3: sets.a.plugins: names org.example.agent twice",
        ),
    ],
)
def test_settings_that_contradict_each_other(text, what):
    assert told(text) == (what, CHECK)


@pytest.mark.parametrize(
    "text",
    [
        "[risk]\nmax_order_usd = 100",
        "[risk]\nmin_price = 0.499999\nmax_price = 0.5",
        AGENT + "budget = {order_usd = 2, day_usd = 2, exposure_usd = 2}",
        "[tape]\ndepth_usd = 0.000001",
        "[tape]\ntick = 0.004",
        AGENT + '[sets.a]\nplugins = ["org.example.agent"]',
    ],
)
def test_settings_at_the_edge_of_contradiction(text):
    assert parse(text, {}) != Config()


def test_live_trading_is_refused_by_policy():
    error = refusal('[host]\nmode = "live"')
    assert isinstance(error, Refused)
    assert str(error) == "pp.toml:2: host.mode: live trading is not offered by this version"
    assert parse('[host]\nmode = "paper"', {}).host.mode == "paper"


def test_ordinary_settings_come_from_the_environment():
    environ = {"PP__HOST__CYCLE_SECONDS": "5", "PP__TAPE__DEPTH_USD": "2.5", "PP_HOME": "/x", "PATH": "/bin"}
    config = parse("[host]\ncycle_seconds = 7\n[tape]\nspread_ticks = 3", environ)
    assert config.host.cycle_seconds == 5
    assert (config.tape.depth_micros, config.tape.spread_ticks) == (2_500_000, 3)


def guarded() -> list[str]:
    names = ["TRUST__KEYS", "SECRETS__X", "EGRESS__ROUTE", "PLUGINS__X", "SETS__X", "RISK", "GRANTS__X"]
    for section, field in settings(Config).items():
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            names += [
                f"{section}__{key}" for key in settings(field.type) if key not in ORDINARY.get(section, ())
            ]
    return [f"PP__{name}".upper() for name in names]


@pytest.mark.parametrize("variable", guarded())
def test_the_environment_cannot_change_what_guards_money_or_trust(variable):
    error = refusal("", {variable: "1"})
    assert isinstance(error, Refused)
    assert error.exit_status == 3
    assert str(error) == f"{variable}: this setting cannot come from the environment"
    assert error.hint == f"unset {variable}; edit pp.toml"


def test_guarded_covers_every_security_setting():
    assert {
        "PP__HOST__MODE",
        "PP__HOST__MIN_LEVEL",
        "PP__RISK__MAX_ORDER_USD",
        "PP__ACCOUNT__CASH_USD",
    } <= set(guarded())
    assert "PP__SIZING__FRACTION" in guarded()
    assert "PP__HOST__CYCLE_SECONDS" not in guarded()


@pytest.mark.parametrize(
    ("variable", "value", "what"),
    [
        ("PP__HOST__CYCLE_SECOND", "1", "PP__HOST__CYCLE_SECOND: no such setting"),
        ("PP__NOTHING__RISK", "1", "PP__NOTHING__RISK: no such setting"),
        ("PP__HOST", "1", "PP__HOST: no such setting"),
        ("PP__", "1", "PP__: no such setting"),
        (
            "PP__TAPE__SPREAD_TICKS",
            "x",
            'PP__TAPE__SPREAD_TICKS: expected a whole number, 1 to 1000, got "x"',
        ),
        ("PP__TAPE__SPREAD_TICKS", "", 'PP__TAPE__SPREAD_TICKS: expected a whole number, 1 to 1000, got ""'),
        (
            "PP__TAPE__SPREAD_TICKS",
            "1\nrisk = 2",
            'PP__TAPE__SPREAD_TICKS: expected a whole number, 1 to 1000, got "1\\nrisk = 2"',
        ),
        ("PP__TAPE__TICK", "0.003", "pp.toml: tape.tick: does not divide one dollar"),
    ],
)
def test_a_bad_variable_is_one_line(variable, value, what):
    error = refusal("", {variable: value})
    assert type(error) is OperatorError
    assert str(error) == what
    assert error.hint


def test_the_file_of_a_new_home_reads_back_as_the_defaults():
    plugins = {
        "org.example.source": Plugin(config={"markets": 40, "odd key": 'a"b', "list": [1.5, True]}),
        "org.example.agent": Plugin(
            budget=Budget(order_micros=1_500_000, day_micros=2_000_000, exposure_micros=2_000_000)
        ),
        "org.example.off": Plugin(enabled=False),
    }
    text = default_toml(plugins)
    assert parse(text, {}) == Config(plugins=plugins)
    stated = {key.path for key in keys(text)}
    for section, field in settings(Config).items():
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            assert {(section, key) for key in settings(field.type)} <= stated


def test_the_document_is_current():
    document = Path(__file__).parents[2] / "docs" / "CONFIG.md"
    assert document.read_text() == manual(), (
        "python -c 'from pp_host.config import manual; print(manual(), end=\"\")' > docs/CONFIG.md"
    )


@given(st.integers(0, 10**15))
def test_dollars_are_exact(micros):
    written = f"{Decimal(micros) / MICRO:f}"
    assert parse(f"account.cash_usd = {written}", {}).account.cash_micros == micros


@given(st.text(max_size=200) | st.lists(st.sampled_from("[]{}=\"'.#,\\\n abr1_-"), max_size=60).map("".join))
@example("[[a]]\n[[a]]")
@example('a = """\n[x]\n"""\nb = 1')
def test_any_text_is_a_config_or_one_line(text):
    with suppress(OperatorError):
        assert isinstance(parse(text, {}), Config)
        return
    message, hint = told(text)
    assert message.startswith("pp.toml:")
    assert hint


WORD = st.text("ab-_0", min_size=1, max_size=3)
VALUE = st.sampled_from(
    [
        "1",
        '"#[{"',
        "'''\n[no]\nno = 1\n'''",
        "[1, # ]\n 2]",
        '"""\n"\nno = 1\\""""',
        "{a = '}'}",
        "1.5 # x = 2",
        "[\n[1]\n]",
    ]
)


@given(
    st.lists(
        st.tuples(st.lists(WORD, min_size=1, max_size=3), st.booleans(), VALUE, st.integers(0, 2)), max_size=8
    )
)
def test_every_key_is_found_on_its_line(statements):
    text, expected, table, line = "", [], (), 1
    for parts, header, value, blanks in statements:
        text += "\n" * blanks
        line += blanks
        path = tuple(parts) if header else (*table, *parts)
        table = path if header else table
        expected.append((path, line))
        added = f"[{'.'.join(parts)}] # [\n" if header else f" {' . '.join(parts)} = {value}\n"
        text += added
        line += added.count("\n")
    assert list(keys(text)) == expected


def test_a_path_is_shown_as_the_file_spells_it():
    assert dotted(("plugins", "org.example.x", "enabled")) == 'plugins."org.example.x".enabled'
    assert tomllib.loads(dotted(("a", "b.c")) + " = 1") == {"a": {"b.c": 1}}


def test_load_reads_a_file(tmp_path):
    path = tmp_path / "pp.toml"
    path.write_text("[host]\ncycle_seconds = 9")
    assert load(path, {}).host.cycle_seconds == 9


@pytest.mark.parametrize(
    ("data", "what", "hint"),
    [
        (b"[risk]\n# caf\xe9\n", "pp.toml:2: not UTF-8 text", "save the file as UTF-8"),
        (
            b"a" * (10 << 20),
            "{path}: larger than 262,144 bytes",
            "is it the right file?",
        ),
    ],
)
def test_bytes_that_are_no_text(tmp_path, data, what, hint):
    path = tmp_path / "pp.toml"
    path.write_bytes(data)
    with pytest.raises(OperatorError) as caught:
        load(path, {})
    assert str(caught.value) == what.format(path=path)
    assert caught.value.hint == hint


def test_what_is_not_a_plain_file_is_refused(tmp_path):
    real = tmp_path / "real.toml"
    real.write_text("")
    for path, make in (
        (tmp_path / "missing", lambda _: None),
        (tmp_path / "link", lambda path: path.symlink_to(real)),
        (tmp_path / "folder", Path.mkdir),
        (tmp_path / "fifo", lambda path: __import__("os").mkfifo(path)),
    ):
        make(path)
        with pytest.raises(OperatorError, match=path.name):
            load(path, {})
    assert load(real, {}) == Config()
