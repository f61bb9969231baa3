"""`pp risk show`: limits and their sources against pp.toml, and what is used against the record's own entries."""

from __future__ import annotations

import re

import pytest
from pp_host.app.risk import account
from pp_host.core.entries import BOOKED
from pp_host.core.ledger import Ledger
from pp_host.home import Home
from pp_host.record.reader import RecordReader

from tests.cli.recorded import AGENT

DAY = 86_400_000_000


def by_key(rows):
    return {row["key"]: row for row in rows}


def of_agent(document):
    (plugin,) = [plugin for plugin in document["plugins"] if plugin["id"] == AGENT]
    return plugin


@pytest.fixture
def shown(demo, said):
    home, result = demo
    return said(home, "risk", "show"), result


def entries(said, home, *events):
    found = said(home, "audit", "tail", "-n", 1_000_000)["entries"]
    return [entry["subject"] for entry in found if entry["event"] in events]


def test_every_limit_of_the_sections_is_there_in_integers(demo, shown):
    document, _ = shown
    keys = [limit["key"] for limit in document["limits"]]
    text = (demo[0] / "pp.toml").read_text()
    for section in ("risk", "sizing", "paper"):
        part = text.partition(f"\n[{section}]\n")[2].partition("\n[")[0]
        wanted = [f"{section}.{key}" for key in re.findall(r"^(\w+) =", part, re.MULTILINE)]
        assert wanted
        assert [key for key in keys if key.startswith(section)] == wanted
    limits = by_key(document["limits"])
    assert limits["risk.max_order_usd"]["value"] == 50_000_000
    assert limits["risk.max_snapshot_age_seconds"]["value"] == 120_000_000
    assert limits["risk.max_drawdown"]["value"] == 250_000
    assert limits["sizing.method"] == {
        "key": "sizing.method",
        "value": "kelly",
        "unit": "word",
        "used": None,
        "source": "pp.toml",
        "line": limits["sizing.method"]["line"],
    }
    assert text.splitlines()[limits["sizing.method"]["line"] - 1] == 'method = "kelly"'


def test_what_is_used_is_what_the_record_adds_up_to(demo, said, shown):
    document, result = shown
    last = entries(said, demo[0], "observation")[-1]
    limits = by_key(document["limits"])
    positions = said(demo[0], "positions")["positions"]
    markets = {}
    for position in positions:
        markets[position["market"]] = markets.get(position["market"], 0) + position["cost"]
    assert limits["risk.max_exposure_usd"]["used"] == result["positions_cost"] > 0
    assert limits["risk.max_positions"]["used"] == len(markets)
    assert limits["risk.max_market_usd"]["used"] == max(markets.values())
    assert limits["risk.max_daily_loss_usd"]["used"] == max(0, last["day_start_equity"] - last["equity"])
    assert limits["risk.max_drawdown"]["used"] == (last["peak"] - last["equity"]) * 1_000_000 // last["peak"]
    assert (document["account"], document["observed_at"]) == ("paper", last["now"])


def test_a_budgets_use_is_what_the_plugins_orders_cost(demo, said, shown):
    document, result = shown
    plugin = of_agent(document)
    budget = by_key(plugin["budget"])
    fills = [fill for fill in entries(said, demo[0], "order.fill") if fill["side"] == "buy"]
    assert plugin["id"] == AGENT
    assert {fill["at"] // DAY for fill in fills} == {document["observed_at"] // DAY}
    assert budget["day_usd"]["used"] == sum(fill["amount"] + fill["fee"] for fill in fills)
    assert budget["exposure_usd"]["used"] == result["positions_cost"]
    minute = document["observed_at"] - 60_000_000
    recent = [order for order in entries(said, demo[0], "order.intent") if order["at"] > minute]
    assert budget["orders_per_minute"]["used"] == len(recent)


def test_the_books_are_those_that_a_start_would_replay(demo):
    state = Home.open(demo[0]).state
    with RecordReader.open(state) as reader:
        every = [(entry.seq, entry.event, entry.subject) for entry in reader.entries(tuple(BOOKED))]
        last = max(seq for seq, event, _ in every if event == "observation")
        books = account(reader, "paper", last)
    whole = Ledger.replay("paper", every)
    assert whole.balance.cost > 0
    assert (books.ledger.balance, books.ledger.marks) == (whole.balance, whole.marks)
    assert books.ledger.holdings() == whole.holdings()
    assert books.ledger.spent(AGENT, books.at) == whole.spent(AGENT, books.at) > 0


# --- sources, and which bound binds ---


@pytest.fixture
def limits(home, said):
    """Write a pp.toml and show what it comes to."""

    def write(text):
        home.config_file.write_text(text)
        return said(home.root, "risk", "show")

    return write


def test_a_default_has_no_line_and_a_setting_has_its_own(limits):
    shown = by_key(limits("[risk]\n# words\nmax_order_usd = 7.5\n")["limits"])
    order, market = shown["risk.max_order_usd"], shown["risk.max_market_usd"]
    assert (order["value"], order["source"], order["line"]) == (7_500_000, "pp.toml", 3)
    assert (market["value"], market["source"], market["line"]) == (100_000_000, "default", None)


def test_the_environment_is_named_where_it_may_set_something(limits, monkeypatch, told, home):
    assert by_key(limits("[paper]\nfee_rate = 0.01\n")["limits"])["paper.fee_rate"]["source"] == "pp.toml"
    monkeypatch.setenv("PP__PAPER__FEE_RATE", "0.02")
    fee = by_key(limits("[paper]\nfee_rate = 0.01\n")["limits"])["paper.fee_rate"]
    assert (fee["value"], fee["source"], fee["line"]) == (20_000, "environment", None)
    monkeypatch.setenv("PP__RISK__MAX_ORDER_USD", "1000")
    assert told(home.root, "risk", "show")[0] == 3


@pytest.mark.parametrize(
    ("order", "value", "binds"),
    [("20", 20_000_000, "pp.toml"), ("50", 50_000_000, "both"), ("60", 50_000_000, "grant")],
)
def test_the_smaller_of_grant_and_file_binds(limits, order, value, binds):
    text = f'[plugins."{AGENT}".budget]\norder_usd = {order}\nday_usd = 100\nexposure_usd = 100\n'
    plugin = of_agent(limits(text))
    found = by_key(plugin["budget"])
    assert (found["order_usd"]["value"], found["order_usd"]["binds"]) == (value, binds)
    assert (found["order_usd"]["source"], found["order_usd"]["line"]) == ("pp.toml", 2)
    assert (found["orders_per_minute"]["configured"], found["orders_per_minute"]["source"]) == (0, "default")


def test_an_inline_table_gives_its_line(limits):
    text = (
        f'[plugins."{AGENT}"]\nenabled = false\nbudget = {{order_usd = 5, day_usd = 9, exposure_usd = 9}}\n'
    )
    plugin = of_agent(limits(text))
    assert by_key(plugin["budget"])["day_usd"]["line"] == 3
    assert (plugin["enabled"], plugin["installed"], plugin["may_decide"]) == (False, True, True)


def test_a_budget_without_a_plugin_is_shown_as_worth_nothing(limits):
    text = '[plugins."org.example.x".budget]\norder_usd = 5\nday_usd = 9\nexposure_usd = 9\n'
    ghost = next(plugin for plugin in limits(text)["plugins"] if plugin["id"] == "org.example.x")
    assert (ghost["installed"], ghost["may_decide"]) == (False, False)
    assert {row["value"] for row in ghost["budget"]} == {0}


def test_a_home_in_which_nothing_ran_uses_nothing(home, said, told):
    document = said(home.root, "risk", "show")
    assert (document["account"], document["observed_at"]) == ("paper", None)
    assert {limit["used"] for limit in document["limits"]} == {0, None}
    status, out, err = told(home.root, "risk", "show")
    assert (status, err) == (0, "")
    assert "never observed" in out


@pytest.mark.parametrize("text", ["[risk]\nmax_order_usd = -1\n", "[risk\n"])
def test_a_broken_file_is_its_own_error(home, told, text):
    home.config_file.write_text(text)
    status, out, err = told(home.root, "risk", "show")
    assert (status, out) == (1, "")
    assert re.match(r"pp: error: pp\.toml:\d", err)


def test_beside_a_latch_it_says_so(home, said, told):
    assert said(home.root, "risk", "show")["latched"] is None
    said(home.root, "kill", "--reason", "enough")
    assert said(home.root, "risk", "show")["latched"] == "enough"
    assert told(home.root, "risk", "show")[1].endswith("HALTED: enough\n")
