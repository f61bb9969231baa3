from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_host.errors import OperatorError, Refused
from pp_host.trust import capability as cap
from pp_host.trust.manifest import PluginLimits

PROPOSE = cap.DecisionPropose(
    reason="x",
    markets=("a", "b"),
    max_order_micros=50_000_000,
    max_day_micros=500_000_000,
    max_exposure_micros=300_000_000,
    orders_per_minute=6,
)
OPEN = cap.DecisionPropose(reason="x", max_order_micros=50_000_000, max_day_micros=500_000_000)


@pytest.mark.parametrize(
    ("asked", "wish"),
    [
        (PROPOSE, {}),
        (PROPOSE, {"max_order_micros": 25_250_000}),
        (PROPOSE, {"max_order_micros": 50_000_000}),
        (PROPOSE, {"max_exposure_micros": 1}),
        (PROPOSE, {"orders_per_minute": 1}),
        (PROPOSE, {"markets": ["b"]}),
        (OPEN, {"markets": ["z"]}),
        (OPEN, {"markets": "any"}),
        (OPEN, {"max_exposure_micros": 10**15, "orders_per_minute": 600}),
        (OPEN, {"max_exposure_micros": None}),
        (cap.MarketRead(reason="x"), {"venues": ["kalshi"]}),
        (cap.MarketRead(reason="x", venues=("kalshi", "polymarket")), {"venues": ["polymarket"]}),
        (cap.AccountRead(reason="x", precision="exact"), {"precision": "ratio"}),
        (cap.Notify(reason="x", detail="exact"), {"detail": "none", "events": ["fill"]}),
        (PluginLimits(), {"memory_mb": 64, "cpu_seconds_per_call": Decimal("0.5"), "tmp_mb": 0}),
    ],
)
def test_narrower_is_granted(asked, wish):
    granted = cap.narrow(asked, wish, "grant")
    assert granted == msgspec.convert({**msgspec.to_builtins(asked), **wish}, type(asked))


@pytest.mark.parametrize(
    ("asked", "wish", "message"),
    [
        (PROPOSE, {"max_order_micros": 50_000_001}, "grant: max_order_usd: $50.000001 is wider than the $50.00 asked for"),
        (PROPOSE, {"max_day_micros": 10**15}, "grant: max_day_usd: $1,000,000,000.00 is wider than the $500.00 asked for"),
        (PROPOSE, {"max_exposure_micros": None}, "grant: max_exposure_usd: unbounded is wider than the $300.00 asked for"),
        (PROPOSE, {"orders_per_minute": 7}, "grant: orders_per_minute: 7 is wider than the 6 asked for"),
        (PROPOSE, {"orders_per_minute": None}, "grant: orders_per_minute: unbounded is wider than the 6 asked for"),
        (PROPOSE, {"markets": "any"}, "grant: markets: any is wider than the a, b asked for"),
        (PROPOSE, {"markets": ["a", "c"]}, "grant: markets: a, c is wider than the a, b asked for"),
        (PROPOSE, {"reason": "y"}, "grant: reason: y is wider than the x asked for"),
        (cap.MarketRead(reason="x", venues=("kalshi",)), {"venues": None}, "grant: venues: unbounded is wider than the kalshi asked for"),
        (cap.MarketRead(reason="x", venues=("kalshi",)), {"venues": ["any"]}, "grant: venues: any is wider than the kalshi asked for"),
        (cap.AccountRead(reason="x"), {"precision": "exact"}, "grant: precision: exact is wider than the ratio asked for"),
        (cap.Notify(reason="x"), {"detail": "ratio"}, "grant: detail: ratio is wider than the none asked for"),
        (PluginLimits(), {"memory_mb": 257}, "grant: memory_mb: 257 is wider than the 256 asked for"),
        (PluginLimits(), {"wall_seconds_per_call": 5.5}, "grant: wall_seconds_per_call: 5.5 is wider than the 5.0 asked for"),
        (PluginLimits(), {"tmp_mb": 1}, "grant: tmp_mb: 1 is wider than the 0 asked for"),
    ],
)  # fmt: skip
def test_wider_is_refused_by_number(asked, wish, message):
    with pytest.raises(Refused) as caught:
        cap.narrow(asked, wish, "grant")
    assert str(caught.value) == message


@pytest.mark.parametrize("wish", [{"max_order_micros": 0}, {"max_order_micros": "5"}, {"max_order_micros": True}, {"extra": 1},
                                  {"markets": []}, {"max_order_micros": 2.5}, {"use": "market.read"}])  # fmt: skip
def test_nonsense_is_an_error(wish):
    with pytest.raises(OperatorError, match="^grant: "):
        cap.narrow(PROPOSE, wish, "grant")


amounts = st.integers(1, 10**15)


@given(amounts, amounts)
def test_numbers_narrow_exactly_by_order(asked, wished):
    budget = cap.DecisionPropose(reason="x", max_order_micros=asked, max_day_micros=asked)
    try:
        granted = cap.narrow(budget, {"max_order_micros": wished}, "grant")
    except Refused:
        assert wished > asked
    else:
        assert granted.max_order_micros == wished <= asked


@given(amounts)
def test_dollars_and_micros_are_inverse(amount):
    shown = cap.dollars(amount)
    assert cap.micros(Decimal(shown.replace("$", "").replace(",", ""))) == amount


@pytest.mark.parametrize(
    ("amount", "text"),
    [(50_250_000, "$50.25"), (1, "$0.000001"), (10**15, "$1,000,000,000.00"), (100_000, "$0.10")],
)
def test_dollars_are_shown_in_full(amount, text):
    assert cap.dollars(amount) == text


@pytest.mark.parametrize(
    "value", [Decimal("1e30"), Decimal("1e-30"), Decimal("0e999999"), Decimal("1e999999"), 10**4000, 0.5]
)
def test_strange_numbers_are_no_dollars(value):
    with pytest.raises(ValueError, match="^expected"):
        cap.micros(value)


@pytest.mark.parametrize(
    ("capability", "sentence"),
    [
        (cap.MarketRead(reason="x"), "Reads markets and prices of every venue."),
        (cap.MarketRead(reason="x", venues=("a", "b")), "Reads markets and prices of a, b."),
        (cap.AccountRead(reason="x"), "Sees your cash and positions as shares of the whole, never amounts."),
        (cap.AccountRead(reason="x", precision="exact"), "Sees your cash and positions as exact amounts."),
        (OPEN, "Proposes trades on any market: at most $50.00 an order, $500.00 a day."),
        (PROPOSE, "Proposes trades on 2 named markets: at most $50.00 an order, $500.00 a day, $300.00 open at once, 6 orders a minute."),
        (cap.RiskAdvise(reason="x"), "Shrinks or vetoes proposed trades; can never enlarge one."),
        (cap.Notify(reason="x"), "Is told afterwards of every kind of event, without amounts."),
        (cap.Notify(reason="x", events=("fill",), detail="exact"), "Is told afterwards of fill, with exact amounts."),
        (cap.StorageKv(reason="x", mb=4), "Keeps up to 4 MB of data of its own on this machine, from run to run."),
        (cap.StorageAppend(reason="x", mb=256), "Writes up to 256 MB of lines to files in a folder of its own on this machine."),
    ],
)  # fmt: skip
def test_sentences(capability, sentence):
    assert capability.sentence() == sentence


def test_every_offered_capability_has_its_name():
    trading = {"market.read", "account.read", "decision.propose", "risk.advise", "notify"}
    assert trading | {"storage.kv", "storage.append"} == cap.OFFERED
    assert cap.OFFERED.isdisjoint(cap.LATER)
    assert cap.use(OPEN) == "decision.propose"
