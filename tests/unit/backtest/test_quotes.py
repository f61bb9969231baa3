from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pp_host.backtest.quotes import NO_QUOTE, Quote, Quotes, TapeSettings

MICRO = 1_000_000
TICKS = [100, 500, 1_000, 2_500, 5_000, 10_000, 100_000, 500_000]


def quotes(spread_ticks=1, depth=100 * MICRO, tick=1_000):
    return Quotes(TapeSettings(spread_ticks=spread_ticks, depth=depth, tick=tick))


def test_a_point_on_the_tick_is_quoted_one_tick_to_each_side():
    assert quotes()[415_000] == Quote(
        414_000, 100 * MICRO * MICRO // 414_000, 416_000, 100 * MICRO * MICRO // 416_000
    )


def test_a_point_between_ticks_is_rounded_outward_before_the_spread():
    assert quotes()[415_500][::2] == (414_000, 417_000)


@pytest.mark.parametrize(
    ("price", "bid", "ask"),
    [
        (0, 0, 1_000),
        (500, 0, 2_000),
        (1_000, 0, 2_000),
        (2_000, 1_000, 3_000),
        (998_000, 997_000, 999_000),
        (999_000, 998_000, 0),
        (999_500, 998_000, 0),
        (MICRO, 999_000, 0),
    ],
)
def test_a_side_outside_one_tick_to_one_dollar_less_a_tick_is_absent(price, bid, ask):
    quote = quotes()[price]
    assert (quote.bid, quote.ask) == (bid, ask)
    assert (quote.bid_size > 0, quote.ask_size > 0) == (bid > 0, ask > 0)


def test_a_wide_spread_leaves_no_side():
    assert quotes(spread_ticks=1_000)[500_000] == NO_QUOTE
    assert quotes(spread_ticks=499)[500_000][::2] == (1_000, 999_000)


@given(
    price=st.integers(0, MICRO),
    spread=st.integers(1, 50),
    depth=st.integers(1, 10**15),
    tick=st.sampled_from(TICKS),
)
def test_every_quote_lies_outside_its_point_on_the_tick_and_within_its_depth(price, spread, depth, tick):
    quote = quotes(spread, depth, tick)[price]
    steps = Decimal(price) / tick
    bid = int(steps.to_integral_value(ROUND_FLOOR)) * tick - spread * tick
    ask = int(steps.to_integral_value(ROUND_CEILING)) * tick + spread * tick
    assert quote.bid == (bid if tick <= bid <= MICRO - tick else 0)
    assert quote.ask == (ask if tick <= ask <= MICRO - tick else 0)
    for at, size in (quote[:2], quote[2:]):
        assert size == (int(Decimal(depth) * MICRO // at) if at else 0)
        assert size * at <= depth * MICRO
